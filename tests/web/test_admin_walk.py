"""Every page of the administrator's console, opened as each kind of person."""

import pytest

PAGES = (
    "/admin/",
    "/admin/agencies",
    "/admin/agencies/add",
    "/admin/agencies/customs-xa",
    "/admin/agencies/customs-xa/change",
    "/admin/agencies/customs-xa/scopes",
    "/admin/agencies/customs-xa/suspend",
    "/admin/agencies/customs-xa/clients/add",
    "/admin/clients/customs-xa.intake",
    "/admin/clients/customs-xa.intake/scopes",
    "/admin/clients/customs-xa.intake/suspend",
    "/admin/clients/customs-xa.intake/keys/add",
    "/admin/keys",
    "/admin/keys?show=all",
    "/admin/sources",
    "/admin/sources/add",
    "/admin/sources/ipo-xa-trademarks",
    "/admin/sources/ipo-xa-trademarks/test",
    "/admin/sources/ipo-xa-trademarks/replace",
    "/admin/sources/ipo-xa-trademarks/suspend",
    "/admin/sources/ipo-xa-trademarks/quarantine",
    "/admin/token-debugger",
    "/admin/settings",
    "/admin/settings/diagnostics.json",
)


@pytest.mark.parametrize("language", ["en", "zh_Hans_CN"])
def test_all(one, language):
    for page in PAGES:
        answer = one("alice").get(page, headers={"Cookie": f"lang={language}"})
        print(page, answer.status_code)
        assert answer.status_code == 200, (page, answer.text)
