// A login by authorization code with PKCE (RFC 7636, S256) at the door's tenant, as Auth0's single-page applications do it.
//
// The verifier must outlive the trip to the tenant, so it waits in this tab's session storage and is taken out on return.
// The token is kept in memory alone: a reload forgets it, and the tenant's session gives another at one click.

const PENDING = "vestibule:login";

/** Leaves for the tenant's login page. */
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

/** Forgets the token and ends the tenant's session, so that someone else can log in. */
export function logOut(door) {
  const url = new URL("v2/logout", door.issuer);
  url.search = new URLSearchParams({ client_id: door.clientId, returnTo: here() });
  location.assign(url);
}

/**
 * Ends a login that this page began: `{ token, who }`. `undefined` when the page was opened in another way.
 * Throws what the tenant answers, or why its answer is not taken.
 */
export async function returned(door) {
  const answer = new URLSearchParams(location.search);
  const pending = JSON.parse(sessionStorage.getItem(PENDING) ?? "null");
  if (!answer.has("state")) return undefined;
  // Codes are good once: neither a reload nor the history may send this one again.
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
  return { token: tokens.access_token, who: who(tokens.id_token) };
}

/** This page's address, as the client's callbacks list it. */
function here() {
  return location.origin + location.pathname;
}

/** Whom the ID token is about, for showing. It came from the tenant itself, so its signature tells nothing new. */
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
