// Reads one HC1 text with software of other authors and prints what it found as
// JSON. Standard input: {"hc1", "kid" (base64), "x", "y" (base64), "country"}.
// The EU DCC claim goes through dcc-decoder (covid-green); the ICVP claim, which
// that decoder does not know, through cose-js, cbor, pako and base45-js, the
// parts it is made of. Exit status 1 means the signature was refused.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'

const require = createRequire(import.meta.url)
const input = JSON.parse(readFileSync(0, 'utf8'))
const mute = () => {}
console.log = mute // the decoder logs refusals there

function plain(value) {
  if (value instanceof Map) {
    return Object.fromEntries([...value].map(([k, v]) => [String(k), plain(v)]))
  }
  if (Buffer.isBuffer(value)) return value.toString('utf8')
  return Array.isArray(value) ? value.map(plain) : value
}

async function readDCC() {
  const { decodeOnly } = require('dcc-decoder')
  const key = { kid: input.kid, country: input.country, x: input.x, y: input.y, algo: 'ECDSA' }
  // The decoder shows codes by name; without names it shows the codes.
  const sets = ['countryCodes', 'diseaseAgentTargeted', 'vaccineMahManf', 'vaccineMedicinalProduct', 'vaccineProphylaxis']
  const valueSets = Object.fromEntries(sets.map((s) => [s, {}]))
  const result = await decodeOnly({
    source: [input.hc1],
    dccData: { signingKeys: [key], valueSets },
  })
  if (result.error) throw result.error
  return { reader: 'dcc-decoder', kid: result.wrapperData.kid, claim: result.rawCert }
}

async function readICVP() {
  const cbor = require('cbor')
  const cose = require('cose-js')
  const pako = require('pako')
  const base45 = require('base45-js')
  const message = Buffer.from(pako.inflate(base45.decode(input.hc1.slice(4))))
  const key = { x: Buffer.from(input.x, 'base64'), y: Buffer.from(input.y, 'base64') }
  const payload = await cose.sign.verify(message, { key })
  const cwt = cbor.decodeFirstSync(payload)
  return { reader: 'cose-js', claim: plain(cwt.get(-260).get(-6)), iat: cwt.get(6), exp: cwt.get(4) }
}

try {
  const out = await (input.claim === 'ICVP' ? readICVP() : readDCC())
  process.stdout.write(JSON.stringify(out) + '\n')
} catch (err) {
  process.stderr.write(String(err && err.message ? err.message : err) + '\n')
  process.exit(1)
}
