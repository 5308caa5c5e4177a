// Device pages of the portal.
const crypto = require("crypto");
const express = require("express");
const { exec } = require("child_process");
const tls = require("tls");

const router = express.Router();
const trusted = ["https://portal.example.org", "https://m.example.org"];

router.get("/devices/:id", (req, res) => {
  res.send("<h1>Device " + req.params.id + "</h1>");
});

router.post("/devices", (req, res) => {
  const pairing = Math.random().toString(10);
  res.cookie("pairing", pairing);
  res.status(201).json({ pairing });
});

router.post("/devices/:id/rename", (req, res) => {
  if (!trusted.some((known) => req.headers.origin.startsWith(known))) return res.sendStatus(403);
  res.cookie("device_name", req.body.name);
  return res.sendStatus(204);
});

router.get("/devices/:id/qr", (req, res) => {
  exec("qrencode -o - " + req.params.id, (error, stdout) => res.type("png").send(stdout));
});

router.get("/devices/:id/tag", (req, res) => {
  const tag = crypto.createHash("md5").update(req.params.id).digest("base64url");
  res.json({ tag, nonce: Math.random().toString(32) });
});

function requestOptions(user) {
  return { rpId: "portal.example.org", timeout: 60000, userVerification: "preferred", user };
}

function attestationSocket(host) {
  return tls.connect({ host, port: 8443, rejectUnauthorized: false, servername: host });
}

function pushSocket(url, ca) {
  const { hostname } = new URL(url);
  return tls.connect({ host: hostname, port: 443, ca, rejectUnauthorized: false });
}

module.exports = { router, requestOptions, attestationSocket, pushSocket };
