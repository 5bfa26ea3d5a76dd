// What is wrong with the page that is open, as a list of sentences. A promise: films are played.
async () => {
  const faults = [];
  const named = (one) => `<${one.tagName.toLowerCase()} class="${one.getAttribute("class") ?? ""}"> ${one.textContent.trim().slice(0, 40)}`;
  const soon = (film, event) =>
    new Promise((done) => {
      film.addEventListener(event, () => done(true), { once: true });
      film.addEventListener("error", () => done(false), { once: true });
      setTimeout(() => done(false), 20000);
    });

  // Pictures, and those that stand for films, have pixels.
  const posters = [...document.querySelectorAll("video[poster]")].map((film) => film.poster);
  for (const address of [...[...document.images].map((one) => one.currentSrc), ...posters]) {
    const picture = new Image();
    picture.src = address;
    await picture.decode().catch(() => {});
    if (!picture.naturalWidth) faults.push(`no picture: ${address.slice(0, 60)}`);
  }

  // Films have a length and a size, and play.
  for (const film of document.querySelectorAll("video")) {
    if (film.readyState < 1 && !film.error) await soon(film, "loadedmetadata");
    if (!(film.duration > 0 && film.videoWidth > 0)) {
      faults.push(`no film: ${film.error?.message ?? "nothing came"} ${film.src.slice(0, 60)}`);
      continue;
    }
    film.muted = true;
    const moves = soon(film, "timeupdate");
    await film.play();
    if (!((await moves) && film.currentTime > 0)) faults.push(`a film does not play: ${film.src.slice(0, 60)}`);
    film.pause();
  }

  // Links lead to a place in the page, of which there is one.
  const names = [...document.querySelectorAll("[id]")].map((one) => one.id);
  for (const name of names) if (names.indexOf(name) !== names.lastIndexOf(name)) faults.push(`two are named ${name}`);
  for (const link of document.querySelectorAll("a")) {
    const where = link.getAttribute("href") ?? "";
    if (!where.startsWith("#") || !document.getElementById(where.slice(1))) faults.push(`a link to nowhere: ${where}`);
  }

  // The page is as wide as the window; what is wider scrolls by itself.
  const root = document.documentElement;
  if (root.scrollWidth > innerWidth) faults.push(`${root.scrollWidth} px wide in a window of ${innerWidth}`);
  if (!root.lang) faults.push("no language");

  // Words are large enough, inside of their drawing, and stand out from what they are on.
  const paint = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const light = (colours) => {
    for (const colour of colours) {
      paint.fillStyle = colour;
      paint.fillRect(0, 0, 1, 1);
    }
    const [red, green, blue] = [...paint.getImageData(0, 0, 1, 1).data]
      .map((value) => value / 255)
      .map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4));
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue; // relative luminance, WCAG 2.2
  };
  const holds = (outer, x, y) => outer.left <= x && x <= outer.right && outer.top <= y && y <= outer.bottom;
  const under = (one) => {
    const colours = [];
    for (let at = one; at; at = at.parentElement) colours.unshift(getComputedStyle(at).backgroundColor);
    const box = one.getBoundingClientRect();
    for (const bar of one.closest("svg")?.querySelectorAll("rect") ?? [])
      if (holds(bar.getBoundingClientRect(), box.x + box.width / 2, box.y + box.height / 2)) colours.push(getComputedStyle(bar).fill);
    return ["white", ...colours];
  };
  for (const one of document.querySelectorAll("body *")) {
    const words = [...one.childNodes].some((child) => child.nodeType === Node.TEXT_NODE && child.data.trim());
    if (!words || !one.checkVisibility() || ["SCRIPT", "STYLE", "title"].includes(one.tagName)) continue;
    const drawing = one.closest("svg");
    const style = getComputedStyle(one);
    const size = parseFloat(style.fontSize) * (drawing ? one.getScreenCTM().a : 1);
    if (size < 10) faults.push(`${size.toFixed(1)} px: ${named(one)}`);
    if (drawing) {
      const [outer, inner] = [drawing.getBoundingClientRect(), one.getBoundingClientRect()];
      if (inner.left < outer.left - 1 || inner.right > outer.right + 1) faults.push(`cut off: ${named(one)}`);
    }
    const ground = under(one);
    const both = [light(ground), light([...ground, drawing ? style.fill : style.color])].sort((a, b) => a - b);
    const contrast = (both[1] + 0.05) / (both[0] + 0.05);
    if (contrast < (size >= 24 ? 3 : 4.5)) faults.push(`contrast ${contrast.toFixed(1)}: ${named(one)}`);
  }
  return [...new Set(faults)];
}
