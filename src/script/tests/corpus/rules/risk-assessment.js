function (user, context, callback) {
  if (context.riskAssessment && context.riskAssessment.confidence === 'low') {
    context.multifactor = { provider: 'any' };
  }
  callback(null, user, context);
}
