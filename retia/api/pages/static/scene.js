// The 3-D preview of a spatial graph: reads the scene that retia/api/exhibits/scene.py describes, and
// draws it with WebGL 2 when something has changed. Without WebGL the still picture stays.

const GROUND = [13 / 255, 20 / 255, 19 / 255];
const START = { yaw: 0.6, pitch: 0.35, away: 2.6 };
const LENS = 1.5, WIDEST = 7, NEAR = 0.02, FAR = 12, POINTS = 5000;

const SHARED = `#version 300 es
precision highp float;
uniform vec4 view;        // cosine and sine of yaw, then of pitch
uniform vec2 size;        // of the canvas, in pixels
uniform float away, scale, fit;  // fit: below 1 where the canvas is narrow
uniform sampler2D palette;
out vec3 colour;
vec4 place(vec3 p) {
  vec3 q = p - 0.5;
  q.xz = vec2(q.x * view.x + q.z * view.y, q.z * view.x - q.x * view.y);
  q.yz = vec2(q.y * view.z - q.z * view.w, q.z * view.z + q.y * view.w);
  float w = away - q.z;
  float depth = (${FAR + NEAR} * w - ${2 * FAR * NEAR}) / ${FAR - NEAR};
  return vec4(vec2(q.x * size.y / size.x, q.y) * ${2 * LENS}.0 * fit, depth, w);
}
vec3 shade(uint value, float w) {
  float far = clamp((w - away + 0.87) / 1.74, 0.0, 1.0);
  vec3 full = texelFetch(palette, ivec2(int(value), 0), 0).rgb;
  return mix(full, vec3(${GROUND.join(", ")}), 0.7 * far);
}`;

const LINES = `${SHARED}
layout(location = 0) in vec2 corner;
layout(location = 1) in vec3 from;
layout(location = 2) in vec3 to;
layout(location = 3) in float width;
layout(location = 4) in uint first;
layout(location = 5) in uint last;
void main() {
  vec4 a = place(from), b = place(to);
  if (a.w < ${NEAR} || b.w < ${NEAR}) { gl_Position = vec4(2.0, 2.0, 2.0, 1.0); return; }
  vec2 along = (b.xy / b.w - a.xy / a.w) * size;
  vec2 side = length(along) > 0.0 ? normalize(vec2(-along.y, along.x)) : vec2(0.0);
  vec4 here = corner.x < 0.5 ? a : b;
  float small = clamp(size.y * fit / scale / 700.0, 0.5, 1.0);  // finer lines on a small canvas
  float thick = max(1.0, width * ${WIDEST}.0 * ${START.away} / here.w) * scale * small;
  here.xy += side * corner.y * thick / size * here.w;
  gl_Position = here;
  colour = shade(corner.x < 0.5 ? first : last, here.w);
}`;

const DOTS = `${SHARED}
layout(location = 0) in vec3 at;
layout(location = 1) in uint value;
uniform float dot_size;
void main() {
  gl_Position = place(at);
  gl_PointSize = dot_size * scale * ${START.away} / gl_Position.w;
  colour = shade(value, gl_Position.w);
}`;

const PAINT = `#version 300 es
precision mediump float;
in vec3 colour;
out vec4 pixel;
void main() { pixel = vec4(colour, 1.0); }`;

const PAINT_DOTS = PAINT.replace("void main() {", "void main() { if (length(gl_PointCoord - 0.5) > 0.5) discard;");

function read(buffer) {
  const head = new DataView(buffer);
  if (head.getUint32(0) !== 0x52534331) throw new Error("this is no scene");
  const length = head.getUint32(4, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 8, length)));
  let at = 8 + length;
  const take = (Kind, count) => {
    const found = new Kind(buffer.slice(at, at + count * Kind.BYTES_PER_ELEMENT));
    at += count * Kind.BYTES_PER_ELEMENT;
    return found;
  };
  const positions = take(Uint16Array, header.nodes * 3);
  const lines = take(Uint16Array, header.lines * 2);
  const widths = header.widths ? take(Uint8Array, header.lines) : new Uint8Array(header.lines);
  const values = header.colourings.map((c) => take(Uint8Array, c.on === "nodes" ? header.nodes : header.lines));
  return { header, positions, lines, widths, values };
}

function program(gl, vertex, fragment) {
  const made = gl.createProgram();
  for (const [kind, source] of [[gl.VERTEX_SHADER, vertex], [gl.FRAGMENT_SHADER, fragment]]) {
    const shader = gl.createShader(kind);
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    gl.attachShader(made, shader);
  }
  gl.linkProgram(made);
  if (!gl.getProgramParameter(made, gl.LINK_STATUS) && !gl.isContextLost()) {
    throw new Error(gl.getProgramInfoLog(made) || "a shader does not compile");
  }
  return made;
}

function attribute(gl, place, data, count, kind, perInstance) {
  const buffer = gl.createBuffer();
  gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
  gl.bufferData(gl.ARRAY_BUFFER, data, gl.STATIC_DRAW);
  gl.enableVertexAttribArray(place);
  if (kind === "whole") gl.vertexAttribIPointer(place, count, gl.UNSIGNED_BYTE, 0, 0);
  else gl.vertexAttribPointer(place, count, kind, kind !== gl.FLOAT, 0, 0);
  if (perInstance) gl.vertexAttribDivisor(place, 1);
  return buffer;
}

function refill(gl, buffer, data) {
  gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
  gl.bufferData(gl.ARRAY_BUFFER, data, gl.STATIC_DRAW);
}

class Stage {
  constructor(canvas, scene) {
    const gl = canvas.getContext("webgl2", { antialias: true });
    if (!gl) throw new Error("no WebGL 2");
    Object.assign(this, { canvas, scene, gl, ...START });
    const { header, positions, lines, widths } = scene;
    this.shows_dots = header.nodes <= POINTS || header.lines === 0;
    this.lines = program(gl, LINES, PAINT);
    this.line_state = gl.createVertexArray();
    gl.bindVertexArray(this.line_state);
    const ends = [0, 1].map((end) => {
      const found = new Uint16Array(header.lines * 3);
      for (let i = 0; i < header.lines; i++) {
        const from = lines[2 * i + end] * 3;
        found.set(positions.subarray(from, from + 3), i * 3);
      }
      return found;
    });
    attribute(gl, 0, new Float32Array([0, -1, 0, 1, 1, -1, 1, 1]), 2, gl.FLOAT, false);
    attribute(gl, 1, ends[0], 3, gl.UNSIGNED_SHORT, true);
    attribute(gl, 2, ends[1], 3, gl.UNSIGNED_SHORT, true);
    attribute(gl, 3, widths, 1, gl.UNSIGNED_BYTE, true);
    const blank = new Uint8Array(header.lines);
    this.line_values = [4, 5].map((place) => attribute(gl, place, blank, 1, "whole", true));
    this.dots = program(gl, DOTS, PAINT_DOTS);
    this.dot_state = gl.createVertexArray();
    gl.bindVertexArray(this.dot_state);
    attribute(gl, 0, positions, 3, gl.UNSIGNED_SHORT, false);
    this.dot_values = attribute(gl, 1, new Uint8Array(header.nodes), 1, "whole", false);
    this.palette = gl.createTexture();
    gl.enable(gl.DEPTH_TEST);
    gl.clearColor(...GROUND, 1);
    this.colour(0);
  }

  colour(number) {
    const { gl } = this, { header, lines, values } = this.scene;
    const chosen = header.colourings[number];
    const found = chosen ? values[number] : null;
    const muted = new Uint8Array(header.nodes).fill(255), by_line = new Uint8Array(header.lines).fill(255);
    if (chosen && chosen.on === "lines") {
      this.line_values.forEach((buffer) => refill(gl, buffer, found));
      refill(gl, this.dot_values, muted);
    } else {
      this.line_values.forEach((buffer, end) => {
        if (found) for (let i = 0; i < header.lines; i++) by_line[i] = found[lines[2 * i + end]];
        refill(gl, buffer, by_line);
      });
      refill(gl, this.dot_values, found || muted);
    }
    gl.bindTexture(gl.TEXTURE_2D, this.palette);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.NEAREST);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, 256, 1, 0, gl.RGBA, gl.UNSIGNED_BYTE, colours(chosen));
    this.ask();
  }

  turn(yaw, pitch) {
    this.yaw += yaw;
    this.pitch = Math.max(-1.57, Math.min(1.57, this.pitch + pitch));
    this.ask();
  }

  zoom(factor) {
    this.away = Math.max(0.3, Math.min(6, this.away * factor));
    this.ask();
  }

  reset() {
    Object.assign(this, START);
    this.ask();
  }

  ask() {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = undefined;
      this.draw();
    });
  }

  draw() {
    const { gl, canvas } = this;
    const scale = Math.min(2, window.devicePixelRatio || 1);
    const [width, height] = [canvas.clientWidth, canvas.clientHeight].map((n) => Math.max(1, Math.round(n * scale)));
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    gl.viewport(0, 0, width, height);
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
    const { header } = this.scene;
    for (const [used, state, run] of [
      [this.lines, this.line_state, () => gl.drawArraysInstanced(gl.TRIANGLE_STRIP, 0, 4, header.lines)],
      [this.dots, this.dot_state, () => this.shows_dots && gl.drawArrays(gl.POINTS, 0, header.nodes)],
    ]) {
      const uniform = (name) => gl.getUniformLocation(used, name);
      gl.useProgram(used);
      gl.bindVertexArray(state);
      gl.uniform4f(uniform("view"), Math.cos(this.yaw), Math.sin(this.yaw), Math.cos(this.pitch), Math.sin(this.pitch));
      gl.uniform2f(uniform("size"), width, height);
      gl.uniform1f(uniform("away"), this.away);
      gl.uniform1f(uniform("scale"), scale);
      gl.uniform1f(uniform("fit"), Math.min(1, width / height / 1.05));
      gl.uniform1f(uniform("dot_size"), header.lines ? 8 : 4);
      run();
    }
    canvas.dataset.view = [this.yaw, this.pitch, this.away].map((n) => n.toFixed(3)).join(" ");
  }
}

// 256 colours, RGBA: the stops of a range evened out, or one for each class; the last is of no value.
function colours(colouring) {
  const found = new Uint8Array(1024);
  const rgb = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
  const stops = (colouring ? colouring.colours : []).map(rgb);
  for (let i = 0; i < 256; i++) {
    let colour = [92, 108, 104];
    if (i < 255 && colouring && colouring.classes && i < colouring.classes.length) {
      colour = stops[Math.min(i, stops.length - 1)];
    } else if (i < 255 && colouring && !colouring.classes) {
      const place = (i / 254) * (stops.length - 1), low = Math.min(Math.floor(place), stops.length - 2);
      colour = stops[low].map((value, channel) => value + (stops[low + 1][channel] - value) * (place - low));
    }
    found.set([...colour, 255], i * 4);
  }
  return found;
}

function listen(figure, canvas, stage) {
  const held = new Map();
  canvas.addEventListener("pointerdown", (event) => {
    held.set(event.pointerId, event);
    canvas.setPointerCapture(event.pointerId);
  });
  for (const kind of ["pointerup", "pointercancel"]) canvas.addEventListener(kind, (event) => held.delete(event.pointerId));
  canvas.addEventListener("pointermove", (event) => {
    const before = held.get(event.pointerId);
    if (!before) return;
    const other = [...held.values()].find((one) => one.pointerId !== event.pointerId);
    const gap = (one) => Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY) || 1;
    if (other) stage.zoom(gap(before) / gap(event));
    else stage.turn((event.clientX - before.clientX) / 150, (event.clientY - before.clientY) / 150);
    held.set(event.pointerId, event);
  });
  canvas.addEventListener("wheel", (event) => {
    if (document.activeElement !== canvas && !event.ctrlKey) return;
    event.preventDefault();
    stage.zoom(Math.exp(event.deltaY / 600));
  }, { passive: false });
  canvas.addEventListener("dblclick", () => stage.reset());
  const keys = {
    ArrowLeft: () => stage.turn(-0.12, 0), ArrowRight: () => stage.turn(0.12, 0),
    ArrowUp: () => stage.turn(0, -0.12), ArrowDown: () => stage.turn(0, 0.12),
    "+": () => stage.zoom(0.85), "=": () => stage.zoom(0.85), "-": () => stage.zoom(1 / 0.85),
    Home: () => stage.reset(), 0: () => stage.reset(),
  };
  canvas.addEventListener("keydown", (event) => {
    if (!keys[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    keys[event.key]();
  });
  const buttons = { in: () => stage.zoom(0.8), out: () => stage.zoom(1.25), reset: () => stage.reset() };
  for (const button of figure.querySelectorAll("[data-view]")) button.addEventListener("click", buttons[button.dataset.view]);
  const choice = figure.querySelector("select");
  choice?.addEventListener("change", () => {
    stage.colour(choice.selectedIndex);
    figure.querySelectorAll(".legend").forEach((legend, i) => (legend.hidden = i !== choice.selectedIndex));
  });
  new ResizeObserver(() => stage.ask()).observe(canvas);
}

async function begin(figure) {
  const told = figure.querySelector("[role=status]");
  const still = figure.querySelector("img");
  try {
    told.textContent = "Loading the 3-D view …";
    const answer = await fetch(figure.dataset.scene);
    if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
    const canvas = document.createElement("canvas");
    canvas.tabIndex = 0;
    canvas.setAttribute("role", "application");
    canvas.setAttribute("aria-label", "3-D view. Arrow keys turn it, plus and minus zoom, Home resets.");
    const stage = new Stage(canvas, read(await answer.arrayBuffer()));
    still.after(canvas);
    figure.classList.add("live");
    listen(figure, canvas, stage);
    figure.querySelector(".controls").hidden = false;
    canvas.addEventListener("webglcontextlost", () => {
      canvas.remove();
      figure.classList.remove("live");
      figure.querySelector(".controls").hidden = true;
    });
    told.textContent = "Drag to turn, pinch or scroll to zoom; or arrow keys, plus and minus.";
  } catch (error) {
    told.textContent = `The 3-D view is not available here (${error.message}); this is a still picture.`;
  }
}

for (const figure of document.querySelectorAll("[data-scene]")) {
  const seen = new IntersectionObserver((entries) => {
    if (!entries.some((entry) => entry.isIntersecting)) return;
    seen.disconnect();
    begin(figure);
  }, { rootMargin: "200px" });
  if (navigator.connection?.saveData) {
    const button = figure.querySelector("[data-begin]");
    button.hidden = false;
    button.addEventListener("click", () => { button.hidden = true; begin(figure); });
  } else seen.observe(figure);
}
