exports.onExecutePostLogin = async (event, api) => {
  const response = await fetch(`${event.secrets.API}/plan/${encodeURIComponent(event.user.user_id)}`, {
    headers: { authorization: `Bearer ${event.secrets.TOKEN}` },
  });
  if (!response.ok) {
    console.error('the plan is unknown', response.status);
    return;
  }
  const { plan } = await response.json();
  api.accessToken.setCustomClaim('https://acme.example/plan', plan);
};
