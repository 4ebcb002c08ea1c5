// Takes a link's secret out of the address and into the form, so that it stands neither in the
// address bar nor in the history. It is sent when somebody presses.

const field = document.getElementById('token');
if (location.hash.length > 1) {
  field.value = location.hash.slice(1);
  document.getElementById('token-field').hidden = true;
  history.replaceState(null, '', location.pathname);
}
