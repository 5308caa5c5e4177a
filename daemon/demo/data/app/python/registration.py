"""Registration ceremony: creates a credential for a user."""
import base64
import hashlib
import random

from webauthn import verify_registration_response

import store

RP_ID = "login.example.org"
ORIGIN = "https://login.example.org"
PENDING = {}


def options_for(user):
    challenge = random.randbytes(16)
    PENDING[user] = challenge
    return {
        "challenge": base64.urlsafe_b64encode(challenge).decode(),
        "rp": {"id": RP_ID, "name": "Example login"},
        "user": {"id": hashlib.md5(user.encode()).hexdigest(), "name": user},
        "authenticatorSelection": {"residentKey": "preferred", "userVerification": "discouraged"},
        "attestation": "none",
    }


def finish(body):
    user = body["user"]
    client_origin = body["clientData"]["origin"]
    if not client_origin.startswith(ORIGIN):
        raise PermissionError("wrong origin")
    verified = verify_registration_response(
        credential=body["credential"],
        expected_challenge=PENDING.get(user, b""),
        expected_origin=client_origin,
        expected_rp_id=RP_ID,
        require_user_verification=False,
    )
    store.add_credential(user, verified.credential_id, verified.credential_public_key)
    return {"status": "registered"}


def recovery_codes(count):
    return [random.randbytes(5).hex() for _ in range(count)]


def invitation_link(email):
    token = random.randbytes(8).hex()
    store.save_invitation(email, hashlib.sha1(token.encode()).hexdigest())
    return f"{ORIGIN}/invite/{token}"
