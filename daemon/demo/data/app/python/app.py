"""Entry point of the demo relying party. Training specimen: every flaw is on purpose."""
import os

from flask import Flask, jsonify, request

import registration
import sessions
import signin
from settings import load_settings

app = Flask(__name__)
app.config.update(load_settings(os.environ.get("RP_SETTINGS", "settings.yaml")))
app.config["SESSION_COOKIE_SECURE"] = False
app.config["SESSION_COOKIE_HTTPONLY"] = False


@app.post("/register/options")
def register_options():
    return jsonify(registration.options_for(request.json["user"]))


@app.post("/register/finish")
def register_finish():
    return jsonify(registration.finish(request.json))


@app.post("/signin/options")
def signin_options():
    return jsonify(signin.options_for(request.json["user"]))


@app.post("/signin/finish")
def signin_finish():
    user = signin.finish(request.json)
    response = jsonify({"user": user})
    response.set_cookie("rp_session", sessions.open_session(user))
    return response


@app.post("/device/trust")
def trust_device():
    answer = jsonify({"trusted": True})
    answer.set_cookie("device_id", request.json["device"])
    return answer


@app.get("/locale/<code>")
def choose_locale(code):
    reply = jsonify({"locale": code})
    reply.set_cookie("locale", code)
    return reply


if __name__ == "__main__":
    app.run(host="0.0.0.0", port=8080, debug=True)
