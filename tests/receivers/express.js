// Express as its guide has it: routes, a body parser with a limit, redirects, and errors that nobody catches.
"use strict";
const express = require("express");

const app = express();
app.post("/small", express.json({ limit: 100 }), (request, response) => response.send("OK"));
app.use(express.json());
app.post("/ok", (request, response) => response.send("OK"));
app.post("/json", (request, response) => response.json({ ok: true, id: request.body.contact.id }));
app.post("/empty", (request, response) => response.status(200).end());
app.post("/status", (request, response) => response.sendStatus(200));
app.post("/created", (request, response) => response.status(201).json({ id: 1 }));
app.post("/no-content", (request, response) => response.sendStatus(204));
app.post("/error", (request, response) => response.json({ error: "contact not saved" }));
app.post("/crash", () => { throw new Error("x is not defined"); });
app.post("/moved", (request, response) => response.redirect(308, "/moved/"));
app.post("/private", (request, response) => response.redirect("/login"));
app.post("/key", (request, response) => response.set("WWW-Authenticate", "Bearer").status(401).json({ error: "no key" }));
app.post("/silent", () => {});
app.post("/page", (request, response) => response.send("<h1>Welcome</h1>"));
app.listen(Number(process.argv[2]), "127.0.0.1");
