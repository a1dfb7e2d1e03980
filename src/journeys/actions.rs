//! Rules and actions at each place where Auth0 runs them: a bundle, the dev tenant over HTTP, and a browser with cookies.

mod browser;
mod events;
mod exchanges;
mod interactions;
mod load;
mod log;
mod logins;
mod messages;
mod redirects;
mod registrations;
