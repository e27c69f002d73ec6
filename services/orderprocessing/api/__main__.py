"""Entry point of `python -m services.orderprocessing.api`."""

from services.orderprocessing.api.app import main

if __name__ == "__main__":
    main()
