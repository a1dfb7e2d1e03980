async function enrich(user, context, callback) {
  const axios = require('axios@0.27.2');
  try {
    const response = await axios.get(`${configuration.API}/people/${encodeURIComponent(user.user_id)}`, { timeout: 2000 });
    const ns = configuration.NAMESPACE;
    context.accessToken[`${ns}person`] = response.data.id;
    context.accessToken[`${ns}level`] = response.data.level;
    return callback(null, user, context);
  } catch (error) {
    if (error.response && error.response.status === 404) {
      // Not one of us yet: no claim.
      return callback(null, user, context);
    }
    return callback(new Error('The people service is down.'));
  }
}
