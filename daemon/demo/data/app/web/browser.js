// Browser half of the ceremonies.
async function register(user) {
  const options = await post("/passkeys/options", { user });
  const credential = await navigator.credentials.create({
    publicKey: { ...options, authenticatorSelection: { residentKey: "required", userVerification: "discouraged" } },
  });
  localStorage.setItem("credential", JSON.stringify(credential));
  localStorage.setItem("private_handle", credential.id);
  document.getElementById("status").innerHTML = "Registered " + user;
  return post("/passkeys/finish", { user, response: credential });
}

async function signIn(user) {
  const publicKey = await post("/login/options", { user });
  const assertion = await navigator.credentials.get({ publicKey: { ...publicKey, userVerification: "discouraged" } });
  const { token } = await post("/login/finish", assertion);
  localStorage.setItem("token", token);
  document.querySelector("#who").innerHTML = user;
}

window.addEventListener("message", (event) => {
  if (event.origin.startsWith("https://login.example.org")) {
    const banner = document.querySelector(".banner");
    banner.innerHTML = event.data.text;
  }
});

function rememberDevice(label) {
  const key = Math.random().toString(36);
  localStorage.setItem("device_key", key);
  document.cookie = "device=" + label;
}

async function post(path, body) {
  const reply = await fetch(path, { method: "POST", body: JSON.stringify(body) });
  return reply.json();
}
