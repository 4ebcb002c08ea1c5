// Reads the code of a certificate or a card with the camera or from a photo, in the browser:
// neither leaves it. What was read goes into the form as text. A certificate's form is sent then;
// a card's waits for the PIN.

const box = document.getElementById('scan');
const says = document.getElementById('scan-says');
const form = document.getElementById(box.dataset.form ?? 'verify-form');
const video = box.querySelector('video');
const start = box.querySelector('[data-scan]');
const stop = box.querySelector('[data-stop]');
const photo = document.getElementById('photo');
box.classList.remove('tk-script');
if (!navigator.mediaDevices?.getUserMedia) start.hidden = true;

let reader;

// decoder is the browser's own, or else one that is loaded now. It takes a picture and gives
// the code's text, or nothing.
async function decoder() {
  if ('BarcodeDetector' in globalThis && (await BarcodeDetector.getSupportedFormats()).includes('qr_code')) {
    const own = new BarcodeDetector({ formats: ['qr_code'] });
    return async (picture) => (await own.detect(picture))[0]?.rawValue;
  }
  const { default: zxing } = await import(box.dataset.decoder);
  zxing.prepareZXingModule({ overrides: { locateFile: () => box.dataset.wasm } });
  const canvas = document.createElement('canvas');
  const pen = canvas.getContext('2d', { willReadFrequently: true });
  return async (picture) => {
    const w = picture.videoWidth || picture.width, h = picture.videoHeight || picture.height;
    const scale = Math.min(1, 2000 / Math.max(w, h));
    canvas.width = Math.round(w * scale);
    canvas.height = Math.round(h * scale);
    pen.drawImage(picture, 0, 0, canvas.width, canvas.height);
    const found = await zxing.readBarcodes(pen.getImageData(0, 0, canvas.width, canvas.height), { formats: ['QRCode'], tryHarder: true, maxNumberOfSymbols: 1 });
    return found[0]?.text;
  };
}

async function ready() {
  says.textContent = says.dataset.wait;
  try {
    reader ??= await decoder();
    return true;
  } catch {
    says.textContent = says.dataset.failed;
    return false;
  }
}

function take(text) {
  const { into, begins, then } = box.dataset;
  if (into && !text.toUpperCase().startsWith(begins)) {
    says.textContent = says.dataset.other;
    return;
  }
  form.elements[into ?? 'text'].value = text;
  if (!then) {
    form.requestSubmit();
    return;
  }
  says.textContent = says.dataset.done;
  form.elements[then].focus();
}

let stream;
function end() {
  for (const t of stream?.getTracks() ?? []) t.stop();
  stream = undefined;
  video.hidden = stop.hidden = true;
  start.hidden = false;
}

start.addEventListener('click', async () => {
  if (!await ready()) return;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: 'environment', width: { ideal: 1280 } } });
    video.srcObject = stream;
    video.hidden = stop.hidden = false;
    start.hidden = true;
    await video.play();
  } catch {
    end();
    says.textContent = says.dataset.camera;
    return;
  }
  says.textContent = says.dataset.look;
  while (stream) {
    const text = video.videoWidth ? await reader(video).catch(() => undefined) : undefined;
    if (text && stream) {
      end();
      take(text);
      return;
    }
    await new Promise((next) => { setTimeout(next, 120); });
  }
});
stop.addEventListener('click', () => { end(); says.textContent = ''; });
addEventListener('pagehide', end);

photo.addEventListener('change', async () => {
  const file = photo.files[0];
  if (!file || !await ready()) return;
  const text = await createImageBitmap(file).then(reader).catch(() => undefined);
  photo.value = '';
  if (text) take(text);
  else says.textContent = says.dataset.none;
});
