// SPDX-License-Identifier: Apache-2.0
// What pages do beside showing HTML: the progress of a replay, and "select all". All works without it.
'use strict';

function watchRun(box) {
  const going = state => state === 'going' || state === 'stopping';
  if (!going(box.dataset.run)) return;
  const bar = box.querySelector('[data-progress-bar]');
  async function look() {
    try {
      const response = await fetch(box.dataset.url, {cache: 'no-store'});
      if (!response.ok) throw new Error(response.statusText);
      const progress = await response.json();
      for (const number of box.querySelectorAll('[data-progress]')) {
        number.textContent = progress[number.dataset.progress];
        number.parentElement.classList.toggle('zero', progress[number.dataset.progress] === 0);
      }
      bar.max = progress.total || 1;
      bar.value = progress.sent + progress.skipped;
      if (!going(progress.state)) return location.reload();
    } catch (error) {
      document.querySelector('[role=status]').textContent =
          'allotctl web does not answer. If it has ended, the replay has stopped, and can be continued.';
    }
    setTimeout(look, 1000);
  }
  setTimeout(look, 300);
}

function offerAll(box) {
  box.hidden = false;
  box.addEventListener('change', () => {
    for (const one of box.form.querySelectorAll(`input[name="${box.dataset.all}"]`)) one.checked = box.checked;
  });
}

document.querySelectorAll('[data-run]').forEach(watchRun);
document.querySelectorAll('[data-all]').forEach(offerAll);
