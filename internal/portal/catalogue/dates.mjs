// Writes dates.json: the names of months and weekdays, from Node's CLDR tables. Run by hand when a
// language is added: node dates.mjs > dates.json
const codes = ['as', 'bn', 'en', 'gu', 'hi', 'kn', 'ml', 'mr', 'or', 'pa', 'ta', 'te', 'ur'];
const out = {};
for (const code of codes) {
  const name = (field, width, n) => {
    const at = field === 'month' ? new Date(Date.UTC(2024, n, 15)) : new Date(Date.UTC(2024, 0, 1 + n)); // a Monday
    return new Intl.DateTimeFormat(`${code}-IN-u-nu-latn`, { [field]: width, timeZone: 'UTC' }).format(at);
  };
  const list = (field, width, n) => [...Array(n).keys()].map((i) => name(field, width, i));
  out[code] = { months: list('month', 'long', 12), short_months: list('month', 'short', 12), weekdays: list('weekday', 'long', 7), short_weekdays: list('weekday', 'short', 7) };
}
console.log(JSON.stringify(out, null, 1));
