// In place of `react-style-singleton`, with which dialogs keep the page behind them from scrolling: it adds style elements,
// which the page's policy refuses, and this page does not scroll.

export const styleSingleton = () => () => null;
