"""What tests of pages share."""

import pytest


@pytest.fixture
def until():
    """Waits until a condition of the page is true. Playwright's own way evaluates texts, which the page forbids."""

    def wait(page, condition, seconds=15):
        met = page.evaluate(
            f"""() => new Promise((resolve) => {{
              const end = performance.now() + {1000 * seconds};
              const look = () => {{
                if ({condition}) resolve(true);
                else if (performance.now() > end) resolve(false);
                else requestAnimationFrame(look);
              }};
              look();
            }})"""
        )
        assert met, f"not within {seconds} s: {condition}"

    return wait
