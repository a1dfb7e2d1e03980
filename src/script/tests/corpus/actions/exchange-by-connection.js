exports.onExecuteCustomTokenExchange = async (event, api) => {
  const { sub, email } = JSON.parse(event.transaction.subject_token);
  if (!email) return api.access.deny('invalid_request', 'The token has no email.');
  api.authentication.setUserByConnection(
    'Username-Password-Authentication',
    { user_id: sub, email, email_verified: true },
    { creationBehavior: 'create_if_not_exists', updateBehavior: 'none' },
  );
};
