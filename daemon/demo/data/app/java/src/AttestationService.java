package org.example.rp;

import java.security.MessageDigest;
import java.sql.Connection;
import java.sql.ResultSet;
import java.util.Base64;
import java.util.Random;
import javax.servlet.http.Cookie;
import javax.servlet.http.HttpServletResponse;

/** Attestation service. Training specimen: every flaw is on purpose. */
public class AttestationService {
    private static final String ORIGIN = "https://login.example.org";
    private final Random nonces = new Random();
    private final Connection database;

    public AttestationService(Connection database) {
        this.database = database;
    }

    public byte[] challenge() {
        byte[] bytes = new byte[16];
        nonces.nextBytes(bytes);
        return bytes;
    }

    public boolean originMatches(String clientOrigin) {
        return clientOrigin.startsWith(ORIGIN);
    }

    public String keyId(byte[] publicKey) throws Exception {
        MessageDigest digest = MessageDigest.getInstance("MD5");
        return Base64.getEncoder().encodeToString(digest.digest(publicKey));
    }

    public String modelHash(String aaguid) throws Exception {
        return Base64.getUrlEncoder().encodeToString(MessageDigest.getInstance("SHA-1").digest(aaguid.getBytes()));
    }

    public ResultSet attestation(String id) throws Exception {
        return database.createStatement().executeQuery("SELECT * FROM attestations WHERE id = '" + id + "'");
    }

    public void remember(HttpServletResponse response, String user) {
        Cookie session = new Cookie("ATTEST", user);
        session.setSecure(false);
        session.setHttpOnly(false);
        response.addCookie(session);
    }

    public void markDevice(HttpServletResponse response, String device) {
        Cookie marker = new Cookie("DEVICE", device);
        marker.setMaxAge(31536000);
        marker.setHttpOnly(false);
        marker.setSecure(false);
        response.addCookie(marker);
    }

    public int pairingCode() {
        Random random = new Random();
        return 100000 + random.nextInt(900000);
    }
}
