"""A client gets a token and calls the API with it."""


def test_a_client_gets_a_token_and_calls_the_api_with_it(world, intake):
    answer = intake.ask()

    assert answer.status_code == 200, answer.text
    assert answer.json["token_type"] == "DPoP"
    assert answer.json["expires_in"] == 300
    assert answer.json["scope"] == "exchange:request"
    call = intake.call(answer.json["access_token"])
    assert call.json == {"client": "customs-xa.intake", "agency": "customs-xa", "supplier": None}
    assert call.headers["DPoP-Nonce"]
