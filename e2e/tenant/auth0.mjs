// See https.test.mjs.
import { AuthenticationClient } from "auth0-6"; // Version 7 has the management client only.

const { domain, managementAudience } = JSON.parse(process.env.READY);
const client = (clientId, clientSecret) => new AuthenticationClient({ domain, clientId, clientSecret });
const failure = (promise) => promise.then(() => "accepted", (error) => error.error ?? error.message);

const machine = await client("vestibule", "dev-only-secret-of-vestibule").oauth.clientCredentialsGrant({ audience: managementAudience });
// The SDK wants a secret; a public client has none, and Auth0 does not read it.
const spa = client("spa", "unused");
const login = {
  username: "ada@example.com",
  password: "dev-only-ada",
  realm: "Username-Password-Authentication",
  audience: "https://public.vestibule.example/",
  scope: "openid profile offline_access",
};
const user = await spa.oauth.passwordGrant(login);
const { refresh_token: refreshToken } = user.data;
const refreshed = await spa.oauth.refreshTokenGrant({ refresh_token: refreshToken });
const connection = "Username-Password-Authentication";
const signUp = await spa.database.signUp({ email: "new@example.com", password: "a long password", connection });
const reset = await spa.database.changePassword({ email: "new@example.com", connection });
console.log(JSON.stringify({
  machine: machine.data.token_type,
  user: Boolean(user.data.id_token),
  refreshed: refreshed.data.refresh_token !== refreshToken,
  reused: await failure(spa.oauth.refreshTokenGrant({ refresh_token: refreshToken })),
  wrongPassword: await failure(spa.oauth.passwordGrant({ ...login, password: "wrong" })),
  signUp: signUp.data.email,
  reset: reset.status,
}));
