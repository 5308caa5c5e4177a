plugins {
    kotlin("jvm") version "1.9.24"
    application
}

application { mainClass.set("org.example.rp.MobileKt") }

dependencies {
    implementation("io.ktor:ktor-server-netty:2.3.4")
    implementation("io.netty:netty-codec-http2:4.1.97.Final")
    implementation("ch.qos.logback:logback-classic:1.2.11")
    implementation("com.h2database:h2:1.4.200")
    implementation("org.postgresql:postgresql:42.3.1")
    implementation("org.sectune.demo:passkey-ktor:0.9.0")
}
