"""A browser for the tests of pages, and what they do with it. The fixture `driver` is in conftest.py."""

from pathlib import Path


def show(driver, file: Path, width: int) -> None:
    size = {"width": width, "height": 844, "deviceScaleFactor": 1, "mobile": width < 600}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    visit(driver, file.as_uri())


def visit(driver, address: str) -> None:
    """Load an address anew, and wait until its scripts have run: under load the driver returns before."""
    from selenium.webdriver.support.ui import WebDriverWait

    driver.get("about:blank")  # an address that differs behind its # alone would load nothing
    driver.get(address)
    script = "return document.readyState === 'complete' && location.href !== 'about:blank'"
    WebDriverWait(driver, 30).until(lambda _: driver.execute_script(script))


def texts(driver, selector: str) -> list[str]:
    return [found.text for found in driver.find_elements("css selector", selector)]


def one(driver, selector: str):
    return driver.find_element("css selector", selector)


def pick(driver, name: str, text: str) -> None:
    from selenium.webdriver.support.ui import Select

    Select(one(driver, f"#{name}")).select_by_visible_text(text)
