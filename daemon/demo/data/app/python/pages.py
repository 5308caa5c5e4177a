"""Server-rendered pages."""
from flask import Blueprint, make_response, redirect, render_template_string, request
from markupsafe import Markup

pages = Blueprint("pages", __name__)


@pages.get("/welcome")
def welcome():
    name = request.args.get("name", "friend")
    return render_template_string("<h1>Welcome %s</h1>" % name)


@pages.get("/keys/<label>")
def show_key(label):
    heading = Markup("<h2>" + label + "</h2>")
    return render_template_string("{{ heading }}<p>Your passkey</p>", heading=heading)


@pages.get("/after-signin")
def after_signin():
    target = request.args.get("next", "/")
    page = make_response(redirect(target))
    page.set_cookie("last_seen", request.args["at"])
    return page


@pages.get("/theme/<name>")
def theme(name):
    out = make_response("", 204)
    out.set_cookie("theme", name)
    return out


def badge(text):
    return Markup("<span class='badge'>" + text + "</span>")
