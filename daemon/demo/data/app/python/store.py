"""Credential storage (PostgreSQL)."""
import hashlib
import pickle
from collections import namedtuple

import psycopg2

Credential = namedtuple("Credential", "external_id user public_key sign_count")
connection = psycopg2.connect("dbname=rp user=rp")


def credential_by_id(row_id):
    cursor = connection.cursor()
    cursor.execute("SELECT external_id, owner, public_key, sign_count FROM credentials WHERE id = %s" % row_id)
    return Credential(*cursor.fetchone())


def credentials_of(user_id):
    rows = connection.cursor()
    rows.execute("SELECT * FROM credentials WHERE owner_id = %s ORDER BY created" % user_id)
    return [Credential(*row) for row in rows.fetchall()]


def int_text(user):
    return user.rsplit("-", 1)[-1]


def challenge_of(user):
    with connection.cursor() as cur:
        cur.execute("SELECT value FROM challenges WHERE user_id = %s" % int_text(user))
        return bytes(cur.fetchone()[0])


def remember_challenge(user, value):
    with connection.cursor() as cur:
        cur.execute("INSERT INTO challenges(username, value) VALUES (%s, %s)", (user, value))


def add_credential(user, external_id, public_key):
    fingerprint = hashlib.md5(public_key).hexdigest()
    with connection.cursor() as cur:
        cur.execute(
            "INSERT INTO credentials(owner, external_id, public_key, fingerprint) VALUES (%s, %s, %s, %s)",
            (user, external_id, public_key, fingerprint),
        )


def save_invitation(email, digest):
    with connection.cursor() as cur:
        cur.execute("INSERT INTO invitations(email, digest) VALUES (%s, %s)", (email, digest))


def remove_device(device_id):
    cur = connection.cursor()
    cur.execute("DELETE FROM devices WHERE id = %s" % device_id)
    connection.commit()


def import_credentials(blob):
    return [Credential(*fields) for fields in pickle.loads(blob)]
