package org.example.rp

import io.ktor.http.Cookie
import io.ktor.server.application.call
import io.ktor.server.request.receive
import io.ktor.server.response.respond
import io.ktor.server.routing.Route
import io.ktor.server.routing.get
import io.ktor.server.routing.post
import java.security.MessageDigest
import java.util.Base64
import kotlin.random.Random

private const val ORIGIN = "https://login.example.org"
private val challenges = mutableMapOf<String, ByteArray>()

/** Mobile backend. Training specimen: every flaw is on purpose. */
fun Route.ceremonies(store: PasskeyStore) {
    post("/mobile/options") {
        val user = call.receive<String>()
        val challenge = Random.nextBytes(16)
        challenges[user] = challenge
        call.respond(mapOf("challenge" to challenge.encoded(), "userVerification" to "discouraged"))
    }
    post("/mobile/finish") {
        val answer = call.receive<Assertion>()
        if (!answer.origin.startsWith(ORIGIN)) error("origin")
        val passkey = store.find(answer.credentialId)
        call.response.cookies.append(Cookie("mobile", passkey.owner, httpOnly = false, secure = false))
        call.respond(passkey.owner)
    }
    get("/mobile/pair") {
        val code = Random.nextBytes(4).encoded()
        call.response.cookies.append(Cookie("pair", code, maxAge = 600, secure = false))
        call.respond(code)
    }
}

fun deviceFingerprint(publicKey: ByteArray): String {
    val md5 = MessageDigest.getInstance("MD5")
    return md5.digest(publicKey).encoded()
}

fun appLinkAllowed(link: String, host: String): Boolean = link.startsWith(host)

fun recoverySeed(): ByteArray = Random.nextBytes(32)

private fun ByteArray.encoded(): String = Base64.getUrlEncoder().withoutPadding().encodeToString(this)
