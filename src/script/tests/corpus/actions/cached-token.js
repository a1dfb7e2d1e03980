const axios = require('axios');

exports.onExecutePostLogin = async (event, api) => {
  let token = api.cache.get('machine-token')?.value;
  if (!token) {
    const { data } = await axios.post(`${event.secrets.API}/oauth/token`, { grant_type: 'client_credentials' });
    token = data.access_token;
    api.cache.set('machine-token', token, { ttl: data.expires_in * 1000 });
  }
  api.idToken.setCustomClaim('https://acme.example/machine', token.length);
};
