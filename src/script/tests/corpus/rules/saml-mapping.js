function mapSAMLAttributes(user, context, callback) {
  user.groups = ['staff'];
  context.samlConfiguration = context.samlConfiguration || {};
  context.samlConfiguration.mappings = { 'http://schemas.xmlsoap.org/claims/Group': 'groups' };
  callback(null, user, context);
}
