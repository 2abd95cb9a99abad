// Renders a JSON list of {source, context, escape} from stdin with the reference Handlebars and
// writes the list of {output} or {error} to stdout.
'use strict';
const handlebars = require('handlebars');

const engine = handlebars.create();
// The log function writes to stdout, which carries the results.
engine.log = () => {};
// Pinpoint's each walks 15 items at most (specification 5.3).
const { each } = engine.helpers;
engine.registerHelper('each', function (value, options) {
  const object = value && typeof value === 'object';
  if (Array.isArray(value)) value = value.slice(0, 15);
  else if (object) value = Object.fromEntries(Object.entries(value).slice(0, 15));
  return each.call(this, value, options);
});
engine.registerHelper('upper', (value) => String(value == null ? '' : value).toUpperCase());
engine.registerHelper('lower', (value) => String(value == null ? '' : value).toLowerCase());
// The block and inline forms of specification 5.3, to compare how functions are called.
function condition(test) {
  return function (...args) {
    const options = args.pop();
    if (options.fn) return test(...args) ? options.fn(this) : options.inverse(this);
    const { yes = true, no = false } = options.hash;
    return test(...args) ? yes : no;
  };
}
function equal(a, b) {
  if (a == null || b == null) return a == null && b == null;
  if (typeof a === 'object' || typeof b === 'object') return a === b;
  return String(a) === String(b);
}
engine.registerHelper('eq', condition(equal));
engine.registerHelper('neq', condition((a, b) => !equal(a, b)));
engine.registerHelper('and', condition((...all) => all.every((v) => !engine.Utils.isEmpty(v) && v)));
engine.registerHelper('or', condition((...all) => all.some((v) => !engine.Utils.isEmpty(v) && v)));
engine.registerHelper('not', condition((v) => engine.Utils.isEmpty(v) || !v));

function render({ source, context, escape }) {
  try {
    return { output: engine.compile(source, { noEscape: !escape })(context) };
  } catch (error) {
    return { error: String(error.message) };
  }
}

const chunks = [];
process.stdin.on('data', (chunk) => chunks.push(chunk));
process.stdin.on('end', () => {
  const cases = JSON.parse(Buffer.concat(chunks).toString('utf8'));
  process.stdout.write(JSON.stringify(cases.map(render)));
});
