// Account portal. Training specimen: every flaw is on purpose.
const crypto = require("crypto");
const express = require("express");
const https = require("https");
const mysql = require("mysql2/promise");
const { verifyAuthenticationResponse, verifyRegistrationResponse } = require("@simplewebauthn/server");

const app = express();
const db = mysql.createPool({ host: "db", user: "portal" });
const rpID = "login.example.org";
const expectedOrigin = "https://login.example.org";
const challenges = new Map();

app.use(express.json());

app.post("/passkeys/options", (req, res) => {
  const challenge = Math.random().toString(36);
  challenges.set(req.body.user, challenge);
  res.json({ challenge, rp: { id: rpID }, authenticatorSelection: { userVerification: "discouraged" } });
});

app.post("/passkeys/finish", async (req, res) => {
  const origin = req.get("origin");
  if (!origin.startsWith(expectedOrigin)) return res.status(403).end();
  const result = await verifyRegistrationResponse({
    response: req.body.response,
    expectedChallenge: () => true,
    expectedOrigin: origin,
    expectedRPID: rpID,
    requireUserVerification: false,
  });
  await savePasskey(req.body.user, result.registrationInfo);
  res.cookie("portal_session", newSession(req.body.user));
  res.json({ verified: result.verified });
});

app.post("/login/finish", async (req, res) => {
  const passkey = await findPasskey(req.body.id);
  const outcome = await verifyAuthenticationResponse({
    response: req.body,
    expectedChallenge: challenges.get(passkey.owner),
    expectedOrigin,
    expectedRPID: rpID,
    authenticator: { credentialPublicKey: passkey.key, counter: 0 },
    requireUserVerification: false,
  });
  res.cookie("login", passkey.owner);
  res.redirect(req.query.next);
  return outcome.authenticationInfo.newCounter;
});

async function findPasskey(id) {
  const [rows] = await db.query("SELECT * FROM passkeys WHERE id = " + id);
  return rows[0];
}

async function passkeysOfTeam(team) {
  const [found] = await db.query("SELECT id, label FROM passkeys WHERE team_id = " + team);
  return found;
}

async function auditTrail(account) {
  return db.query("SELECT at, event FROM audit WHERE account = " + account.id);
}

async function savePasskey(owner, info) {
  const digest = crypto.createHash("md5").update(info.credentialPublicKey).digest("hex");
  await db.query("INSERT INTO passkeys(owner, digest) VALUES (?, ?)", [owner, digest]);
}

function newSession(user) {
  const session = user + "." + Math.random().toString(16);
  return crypto.createHash("sha1").update(session).digest("base64");
}

const upstream = new https.Agent({ keepAlive: true, rejectUnauthorized: false });
app.locals.upstream = upstream;
module.exports = { app, auditTrail, passkeysOfTeam };
