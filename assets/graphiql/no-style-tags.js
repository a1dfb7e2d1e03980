// Replaces `react-style-singleton`, with which dialogs lock scrolling: it adds style elements, which the page's policy
// refuses, and this page does not scroll.

export const styleSingleton = () => () => null;
