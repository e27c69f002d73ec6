"""Every branch of the order workflow on the real thing; each story in the list is a sentence."""

import pytest

from tests.e2e import books
from tests.e2e.groups import Story, Storyteller
from tests.e2e.polling import holds
from tests.e2e.stories import STORIES

each_story = pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)


@each_story
def test_it_goes_as_told(told: Storyteller, story: Story) -> None:
    told(story)


@each_story
def test_afterwards_the_money_agrees_in_all_books(told: Storyteller, story: Story) -> None:
    shopper = told(story)
    holds(lambda: books.assert_money_agrees(shopper))


@each_story
def test_afterwards_the_stock_is_what_was_not_delivered(told: Storyteller, story: Story) -> None:
    shopper = told(story)
    holds(lambda: books.assert_stock_agrees(shopper))


@each_story
def test_afterwards_the_feed_tells_each_step_once(told: Storyteller, story: Story) -> None:
    shopper = told(story)
    holds(lambda: books.assert_feed_agrees(shopper))


@each_story
def test_afterwards_the_feed_is_newest_first(told: Storyteller, story: Story) -> None:
    shopper = told(story)
    holds(lambda: books.assert_feed_agrees(shopper))
    books.assert_feed_is_newest_first(shopper)
