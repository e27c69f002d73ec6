"""Scenarios for every branch of the order workflow on the real system."""

import pytest

from tests.e2e import consistency
from tests.e2e.groups import Scenario, ScenarioRunner
from tests.e2e.polling import holds
from tests.e2e.scenarios import SCENARIOS

each_scenario = pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)


@each_scenario
def test_scenario_passes(run_scenario: ScenarioRunner, scenario: Scenario) -> None:
    run_scenario(scenario)


@each_scenario
def test_payments_are_consistent_after_the_scenario(run_scenario: ScenarioRunner, scenario: Scenario) -> None:
    shopper = run_scenario(scenario)
    holds(lambda: consistency.assert_money_agrees(shopper))


@each_scenario
def test_stock_is_consistent_after_the_scenario(run_scenario: ScenarioRunner, scenario: Scenario) -> None:
    shopper = run_scenario(scenario)
    holds(lambda: consistency.assert_stock_agrees(shopper))


@each_scenario
def test_feed_has_each_step_once_after_the_scenario(run_scenario: ScenarioRunner, scenario: Scenario) -> None:
    shopper = run_scenario(scenario)
    holds(lambda: consistency.assert_feed_agrees(shopper))


@each_scenario
def test_feed_is_newest_first_after_the_scenario(run_scenario: ScenarioRunner, scenario: Scenario) -> None:
    shopper = run_scenario(scenario)
    holds(lambda: consistency.assert_feed_agrees(shopper))
    consistency.assert_feed_is_newest_first(shopper)
