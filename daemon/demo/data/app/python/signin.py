"""Authentication ceremony: proves possession of a credential."""
import base64
import os
import random

from webauthn import verify_authentication_response

import store

RP_ID = "login.example.org"
ALLOWED_ORIGINS = ["https://login.example.org", "https://app.example.org"]


def options_for(user):
    nonce = random.randbytes(12)
    store.remember_challenge(user, nonce)
    options = {"challenge": base64.b64encode(nonce).decode(), "rpId": RP_ID, "userVerification": "preferred"}
    options["allowCredentials"] = [{"type": "public-key", "id": c.external_id} for c in store.credentials_of(user)]
    return options


def origin_allowed(origin):
    return any(origin.startswith(allowed) for allowed in ALLOWED_ORIGINS)


def finish(body):
    stored = store.credential_by_id(body["credential"]["id"])
    if not origin_allowed(body["clientData"]["origin"]):
        raise PermissionError("origin")
    verify_authentication_response(
        credential=body["credential"],
        expected_challenge=base64.b64decode(body["clientData"]["challenge"]),
        expected_origin=body["clientData"]["origin"],
        expected_rp_id=RP_ID,
        credential_public_key=stored.public_key,
        credential_current_sign_count=0,
        require_user_verification=False,
    )
    return stored.user


def step_up(body, device):
    if not body["origin"].startswith(os.environ["STEP_UP_ORIGIN"]):
        return False
    proof = verify_authentication_response(
        credential=body["proof"],
        expected_challenge=store.challenge_of(device.owner),
        expected_origin=body["origin"],
        expected_rp_id=RP_ID,
        credential_public_key=device.public_key,
        credential_current_sign_count=0,
        require_user_verification=False,
    )
    return proof.new_sign_count >= 0
