'use strict';
// Shows the status of the first session, until the live page takes this file's place.
fetch('sessions').then((answer) => answer.json()).then(([first]) => {
  if (!first) return;
  const socket = new WebSocket(`ws://${location.host}/neural-stream/${encodeURIComponent(first.session)}?kinds=status`);
  socket.onmessage = ({ data }) => { document.getElementById('status').textContent = data; };
});
