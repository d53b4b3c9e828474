// Copy the text of a block; where the browser refuses, select it.
for (const button of document.querySelectorAll("[data-copy]")) {
  const block = document.getElementById(button.dataset.copy);
  button.hidden = false;
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(block.textContent);
      button.textContent = "Copied";
      setTimeout(() => (button.textContent = "Copy"), 2000);
    } catch {
      getSelection().selectAllChildren(block);
    }
  });
}
