const domains = new Set(['acme.example']);

exports.onExecutePostLogin = (event, api) => {
  const domain = (event.user.email ?? '').split('@').pop();
  if (!domains.has(domain)) api.access.deny(`No access from ${domain}.`);
};
