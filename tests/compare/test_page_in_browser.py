"""The page in a real browser: a click, keys, a phone, a dark screen. Skipped where there is no Chromium."""

import pytest
from PIL import Image

from bottomup.compare.comparison import compare
from bottomup.compare.settings import CompareSettings, System

PHONE, DESK = (360, 740), (1200, 900)


@pytest.fixture(scope="module")
def address(folder):
    """Of the page of two systems."""
    systems = (System("good", results=str(folder / "good.json")), System("weak", results=str(folder / "weak.json")))
    compare(CompareSettings(str(folder / "gt.json"), str(folder / "out"), systems, images=str(folder / "images")))
    return (folder / "out" / "index.html").as_uri()


@pytest.fixture
def page(browser, address):
    """The page as opened anew on a desk."""
    browser.emulate(*DESK)
    browser.open("about:blank")
    browser.open(address)
    return address


def shown(browser):
    return browser.run("return current && current.id")


def drawn(browser, panel):
    return browser.run(
        f"return document.querySelectorAll('#panels figure')[{panel}].querySelectorAll('svg > g').length"
    )


def test_the_page_opens_on_the_greatest_disagreement_without_complaints(page, browser):
    assert shown(browser) == 4 and "1 of 4" in browser.text("#caption")
    assert [drawn(browser, panel) for panel in range(3)] == [6, 6, 0]  # truth, good, weak
    assert browser.run("return document.querySelector('.photo').naturalWidth") == 320
    assert browser.complaints() == []


def test_a_click_goes_on_and_arrow_keys_go_both_ways(page, browser):
    browser.click("#next")
    assert shown(browser) == 3
    browser.press("ArrowRight")
    assert shown(browser) == 2
    browser.press("ArrowLeft")
    browser.press("ArrowLeft")
    browser.press("ArrowLeft")
    assert shown(browser) == 1  # round the end
    browser.click("#strip button[data-id='2']")
    assert shown(browser) == 2


def test_buttons_work_from_the_keyboard_and_show_their_focus(page, browser):
    browser.run("document.getElementById('previous').focus()")
    browser.press("Tab")
    assert browser.run("return document.activeElement.id") == "next"
    assert browser.run("return getComputedStyle(document.activeElement).outlineStyle") == "solid"
    browser.press("Enter")
    assert shown(browser) == 3


def test_pictures_are_sorted_and_filtered(page, browser):
    browser.choose("#sort", "few")
    assert browser.run("return chosen.map((p) => p.people)") == [1, 2, 4, 6]
    browser.choose("#people", "3-4")
    assert browser.run("return chosen.map((p) => p.people)") == [4] and shown(browser) == 3
    browser.choose("#people", "9-1000000")
    assert shown(browser) is None and "No picture" in browser.text("#caption")
    assert not browser.run("return document.getElementById('panels').checkVisibility()")
    browser.press("ArrowRight")
    browser.choose("#people", "0-1000000")
    assert shown(browser) == 1


def test_skeletons_can_be_switched_off_one_by_one(page, browser):
    browser.click("#toggle-0")
    assert [drawn(browser, panel) for panel in range(3)] == [6, 0, 0]
    browser.click("#toggle-over")
    assert [drawn(browser, panel) for panel in range(3)] == [6, 6, 6]  # the truth over both
    browser.click("#toggle-truth")
    assert drawn(browser, 0) == 0


def test_a_link_leads_to_its_picture(page, browser):
    browser.open(f"{page}?again#picture=2")
    assert shown(browser) == 2
    browser.run("location.hash = '#picture=3'; fromHash()")
    assert shown(browser) == 3 and browser.run("return location.hash") == "#picture=3"


def test_a_phone_scrolls_down_only(page, browser):
    browser.emulate(*PHONE)
    width, inner = browser.run("return [document.documentElement.scrollWidth, window.innerWidth]")
    assert width <= inner == 360
    assert browser.run("return Math.min(...[...document.querySelectorAll('button')].map((b) => b.offsetHeight))") >= 40


def test_dark_follows_the_owner_and_the_button_overrules(page, browser):
    ground = "return getComputedStyle(document.body).backgroundColor"
    light = browser.run(ground)
    browser.emulate(*DESK, "dark")
    dark = browser.run(ground)
    assert sum(map(int, light[4:-1].split(","))) > 700 and sum(map(int, dark[4:-1].split(","))) < 150
    browser.click("#theme")
    assert browser.run(ground) == light
    browser.click("#theme")
    assert browser.run(ground) == dark


def test_every_control_and_picture_has_a_name(page, browser):
    nameless = (
        "return [...document.querySelectorAll('button, select, input')]"
        ".filter((e) => !(e.textContent.trim() || e.ariaLabel || e.labels?.length)).map((e) => e.outerHTML)"
    )
    assert browser.run(nameless) == []
    assert browser.run("return [...document.querySelectorAll('.photo')].every((e) => e.alt.includes('6 people'))")
    assert browser.run("return [...document.querySelectorAll('.plots svg')].every((e) => e.ariaLabel)")


def test_a_screenshot_shows_the_photograph_and_the_skeleton_on_it(page, browser, tmp_path):
    (tmp_path / "page.png").write_bytes(browser.screenshot())
    corners = "[b.x, b.y + scrollY, b.right, b.bottom + scrollY]"
    box = browser.run(f"const b = document.querySelector('.stage').getBoundingClientRect(); return {corners}")
    colours = Image.open(tmp_path / "page.png").convert("RGB").crop(tuple(map(int, box))).getcolors(10**6)
    counts = {colour: count for count, colour in colours}
    plain = max(counts, key=counts.get)
    assert max(abs(a - b) for a, b in zip(plain, (90, 120, 240), strict=True)) <= 6  # of picture 4
    bright = sum(count for (r, g, b), count in counts.items() if r > 200 and g > 90 and b < 140)
    assert bright > 200  # the first person's orange lines
