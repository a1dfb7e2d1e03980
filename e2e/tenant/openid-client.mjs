// See https.test.mjs.
import * as client from "openid-client";

const { issuer } = JSON.parse(process.env.READY);
const redirect_uri = "http://localhost:3000/callback";
const config = await client.discovery(new URL(issuer), "spa", undefined, client.None());
const pkceCodeVerifier = client.randomPKCECodeVerifier();
const expectedState = client.randomState();
const expectedNonce = client.randomNonce();
const authorization = client.buildAuthorizationUrl(config, {
  redirect_uri,
  scope: "openid email offline_access",
  audience: "https://public.vestibule.example/",
  code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
  code_challenge_method: "S256",
  state: expectedState,
  nonce: expectedNonce,
});

// As a browser: the login page, then one click.
const page = await fetch(authorization, { redirect: "manual" });
const login = new URL(page.headers.get("location"), issuer);
const clicked = await fetch(new URL("/u/login", issuer), {
  method: "POST",
  redirect: "manual",
  body: new URLSearchParams({ state: login.searchParams.get("state"), user: "auth0|ada" }),
});
const callback = new URL(clicked.headers.get("location"));
const tokens = await client.authorizationCodeGrant(config, callback, { pkceCodeVerifier, expectedState, expectedNonce });
const { sub } = tokens.claims();
const { email } = await client.fetchUserInfo(config, tokens.access_token, sub);
const renewed = await client.refreshTokenGrant(config, tokens.refresh_token);
await client.tokenRevocation(config, renewed.refresh_token);
const revoked = await client.refreshTokenGrant(config, renewed.refresh_token).catch((error) => error.error);
const logout = client.buildEndSessionUrl(config, { id_token_hint: tokens.id_token, post_logout_redirect_uri: "http://localhost" });
console.log(JSON.stringify({ sub, email, rotated: renewed.refresh_token !== tokens.refresh_token, revoked, logout: logout.href }));
