// Login by authorization code with PKCE (RFC 7636, S256) at the door's tenant, as in Auth0's single-page applications.
//
// The verifier must survive the redirect, and the token a reload: both are in this tab's session storage, the verifier until
// the tenant redirects back, the token until it ends or its user logs out.

const PENDING = "vestibule:login";
const SESSION = "vestibule:session";

/** The login of this tab, `{ token, who, until }` with `until` in milliseconds; `undefined` when there is none, or it ended. */
export function remembered() {
  const session = JSON.parse(sessionStorage.getItem(SESSION) ?? "null");
  if (session?.until > Date.now()) return session;
  forget();
  return undefined;
}

/** Drops the token. */
export function forget() {
  sessionStorage.removeItem(SESSION);
}

/** Redirects to the tenant's login page. */
export async function logIn(door) {
  const [state, verifier] = [random(), random()];
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier));
  sessionStorage.setItem(PENDING, JSON.stringify({ state, verifier }));
  const url = new URL("authorize", door.issuer);
  url.search = new URLSearchParams({
    response_type: "code",
    client_id: door.clientId,
    redirect_uri: here(),
    audience: door.audience,
    scope: "openid profile email",
    state,
    code_challenge: base64url(new Uint8Array(digest)),
    code_challenge_method: "S256",
  });
  location.assign(url);
}

/** Drops the token and ends the tenant's session, so that another person can log in. */
export function logOut(door) {
  forget();
  const url = new URL("v2/logout", door.issuer);
  url.search = new URLSearchParams({ client_id: door.clientId, returnTo: here() });
  location.assign(url);
}

/**
 * Completes a login that this page began and returns it as `remembered` does; `undefined` if there is none.
 * Throws the tenant's error, or the reason why its answer is refused.
 */
export async function returned(door) {
  const answer = new URLSearchParams(location.search);
  const pending = JSON.parse(sessionStorage.getItem(PENDING) ?? "null");
  if (!answer.has("state")) return undefined;
  // A code can be used once: a reload or the history must not send it again.
  sessionStorage.removeItem(PENDING);
  history.replaceState(null, "", here());
  if (answer.get("state") !== pending?.state) throw new Error("This login was not begun in this tab. Log in again.");
  if (answer.has("error")) throw new Error(answer.get("error_description") ?? answer.get("error"));

  const response = await fetch(new URL("oauth/token", door.issuer), {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({
      grant_type: "authorization_code",
      client_id: door.clientId,
      redirect_uri: here(),
      code: answer.get("code"),
      code_verifier: pending.verifier,
    }),
  });
  const tokens = await response.json();
  if (!response.ok) throw new Error(tokens.error_description ?? `The tenant answered ${response.status}.`);
  const until = Date.now() + tokens.expires_in * 1000;
  const session = { token: tokens.access_token, who: who(tokens.id_token), until };
  sessionStorage.setItem(SESSION, JSON.stringify(session));
  return session;
}

/** This page's address, which must be one of the client's callbacks. */
function here() {
  return location.origin + location.pathname;
}

/** The name to show, from the ID token. It comes directly from the tenant, so its signature need not be checked. */
function who(idToken) {
  const [, payload] = idToken.split(".");
  const bytes = Uint8Array.from(atob(payload.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
  const claims = JSON.parse(new TextDecoder().decode(bytes));
  return claims.email ?? claims.name ?? claims.sub;
}

function random() {
  return base64url(crypto.getRandomValues(new Uint8Array(32)));
}

function base64url(bytes) {
  return btoa(String.fromCharCode(...bytes))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");
}
