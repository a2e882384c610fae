/**
 * The guest's console against node's own: every line below is a program, run in an isolate and in the node that runs
 * this test, and both must print the same bytes on both streams (lines of a stack aside, whose paths differ).
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { suite, test } from 'node:test';
import { runGuest, type Write } from './guest.ts';

const programs = String.raw`
console.log()
console.log('')
console.log('hello', 'world')
console.log('a\nb')
console.log(1, -0, 0, 1.5, NaN, Infinity, 1e21, 123456789.123)
console.log(true, false, null, undefined)
console.log(10n, -5n, [10n])
console.log(Symbol('s'), Symbol(), Symbol.iterator, [Symbol('x y')])
console.log('%s is %d years and %i, %f', 'Bob', 42.5, 42.9, '1.25', 'extra')
console.log('%s', { a: 1 }, '%s', [1, { b: { c: {} } }])
console.log('%s %s %s %s', null, undefined, 5n, Symbol('a'))
console.log('%s', -0, '%s', () => 1)
console.log('%s|%s', class A {}, function foo() {})
console.log('%s', new (class A { toString() { return 'mine'; } })())
console.log('%s', new (class B extends Error {})('boom').message)
console.log('%s', new Date(0), new Date(NaN))
console.log('%d %d %d', '0x10', 5n, {}, 'x')
console.log('%i %i %i', 3.99, '7.2px', Symbol('x').description)
console.log('%f %f', '3.50abc', {})
console.log('%j', { a: [1, { b: 2 }] }, '%j')
console.log('%j', (() => { const o = {}; o.o = o; return o; })())
console.log('%o', { f() {}, a: [1, 2] })
console.log('%O', { a: { b: { c: { d: { e: {} } } } } })
console.log('%c styled %c text', 'color: red', '')
console.log('100%', 5, '%%', '%')
console.log('%% %s', 'x')
console.log('%x %s', 'kept', 'used')
console.log('%s')
console.log('a%', 1)
console.log('%s', 'a', { b: 1 }, ['c'])
console.log(5, '%s', 'x')
console.log(['it', "it's", 'a"b', 'both\'"', 'all\'"${'`'}'])
console.log(['tab\t', 'nl\n', '\x00\x1b\x7f', 'back\\slash', '\u200b', '\ud800', '\udc00x', '😀'])
console.log({ s: 'line1\nline2\nline3' })
console.log({ s: 'a'.repeat(200) })
console.log(['a'.repeat(100), 'b'.repeat(100)])
console.log(['x'.repeat(10001)])
console.log([('word '.repeat(30) + '\n').repeat(3)])
console.log({})
console.log({ a: 1, b: 'two', c: [3], d: { e: 4 } })
console.log({ a: { b: { c: { d: 1 } } } })
console.log({ a: { b: { c: [] , d: {}, e: new Map(), f: [1] } } })
console.log({ 'a-b': 1, 2: 2, valid_id: 3, $: 4, 'ünï': 5, '': 6, "q'": 7 })
console.log({ [Symbol('k')]: 1, [Symbol.for('nodejs')]: 2, [Symbol()]: 3 })
console.log({ get a() { return 1; }, set b(v) {}, get c() { return 1; }, set c(v) {} })
console.log(Object.defineProperty({}, 'hidden', { value: 1 }))
console.log(Object.defineProperty({}, Symbol('hidden'), { value: 1 }))
console.log(Object.create(null), Object.assign(Object.create(null), { a: 1 }))
console.log(Object.freeze(Object.create(null)), Object.freeze({ a: 1 }))
console.log(Object.create({ a: 1 }), Object.create({}), Object.create(Object.create(null)))
console.log(Object.create({ constructor: { name: 'Fake' } }))
console.log({ constructor: 'x' }, { constructor: { name: 'Date' } }, { constructor: { name: 'Map' } })
console.log(Object.setPrototypeOf(new Map([[1, 2]]), null))
console.log(Object.setPrototypeOf([1, 2], null), Object.setPrototypeOf(new Set([1]), null))
console.log(Object.setPrototypeOf(function f() {}, null), Object.setPrototypeOf(class A {}, null))
console.log(Object.setPrototypeOf(new Date(0), null), Object.setPrototypeOf(/x/, null))
console.log({ __proto__: { inherited: 1 }, own: 2 }, { ['__proto__']: 1 })
console.log((() => { const o = { name: 'o' }; o.self = o; o.list = [o, { o }]; return o; })())
console.log((() => { const a = {}, b = { a }; a.b = b; return [a, b]; })())
console.log((() => { const m = new Map(); m.set('m', m); return m; })(), (() => { const s = new Set(); s.add(s); return s; })())
console.log({ undefined, null: null, NaN, f: false })
console.log({ a: -0, b: [-0], c: 1_000_000, d: 0.1 + 0.2 })
console.log(Object.fromEntries(Array.from({ length: 30 }, (_, i) => ['key' + i, i])))
console.log({ a: 'x'.repeat(30), b: 'y'.repeat(30), c: 1 })
console.log({ a: 'x'.repeat(30), b: 'y'.repeat(33), c: 1 })
console.log({ alpha: [1, 2, 3], beta: { gamma: { delta: 'epsilon', zeta: 'eta' } }, theta: ['iota', 'kappa', 'lambda'] })
console.log([])
console.log([1, 2, 3], ['a'], [[]], [[[]]], [[[[]]]], [[[[1]]]])
console.log([undefined, null, , 3])
console.log([, , 1, , ,], new Array(5), [1, , 3])
console.log(Object.assign([1, 2], { extra: 'x', '-1': 1, 5: 5 }))
console.log(Object.assign([], { 4294967294: 'i', 4294967295: 'p' }).length)
console.log(Array.from({ length: 101 }, (_, i) => i))
console.log(Array.from({ length: 120 }, (_, i) => 'item' + i))
console.log(Array.from({ length: 7 }, (_, i) => i), Array.from({ length: 6 }, (_, i) => i))
console.log(Array.from({ length: 27 }, (_, i) => i * 1000))
console.log(Array.from({ length: 40 }, (_, i) => 'x'.repeat(i % 7)))
console.log(Array.from({ length: 20 }, (_, i) => [i, i * i]))
console.log(Array.from({ length: 10 }, (_, i) => ({ id: i, name: 'n' + i })))
console.log(Array.from({ length: 12 }, (_, i) => -i * 1.5))
console.log(Array.from({ length: 8 }, (_, i) => BigInt(i)))
console.log(Array.from('漢字とかな交じり文と'), Array.from('αβγδεζηθ'), Array.from('😀👍🏽👩‍👩‍👧🇩🇪☀️'))
console.log(['漢', 'a', '한국어', 'ｆｕｌｌ', 'é', 'é', '­', '⚠', '⌚'])
console.log([[1, 2, [3, 4, [5, [6]]]], { a: { b: { c: { d: 1 } } } }])
console.log([1.5, 'a', null, undefined, true, Symbol('s'), 5n, () => {}, {}, [], new Date(0)])
console.log(new (class MyArray extends Array {})(3), class X extends Array {}.from([1, 2]))
console.log((() => { const a = [1]; a.push(a); return a; })())
console.log((function () { return arguments; })(1, 'a', {}), (function () { return arguments; })())
console.log(new Map(), new Map([['a', 1], [{ k: 1 }, [1, 2]], [NaN, null]]))
console.log(new Map([[new Map([[1, 2]]), new Set([1])]]), new Map([['deep', { a: { b: { c: 1 } } }]]))
console.log(new Set(), new Set([1, 'a', { b: 1 }, [1]]), new Set([new Set([1])]))
console.log(new Map(Array.from({ length: 105 }, (_, i) => [i, i])))
console.log(new Set(Array.from({ length: 105 }, (_, i) => i)))
console.log(Object.assign(new Map([[1, 2]]), { extra: true }), Object.assign(new Set([1]), { extra: true }))
console.log(new (class MyMap extends Map {})([[1, 2]]), new (class MySet extends Set {})([1]))
console.log(new WeakMap(), new WeakSet(), new WeakRef({ a: 1 }))
console.log(new Map([['a', 1]]).keys(), new Map([['a', 1]]).values(), new Map([['a', 1]]).entries())
console.log(new Map([['a', 1]])[Symbol.iterator](), new Set([1, 2])[Symbol.iterator](), new Set([1]).entries())
console.log((() => { const i = new Map([[1, 2], [3, 4]]).keys(); i.next(); return i; })())
const it = new Set([1, 2, 3]).values(); it.next(); console.log(it); console.log(it, [...it], it)
const it = new Map([['a', 1], ['b', 2]]).entries(); console.log(it); for (const [k, v] of it) console.log(k, v)
const it = new Set([1, 2]).values(); console.log(it); console.log(Object.keys(it), it.map((x) => x * 2).toArray(), it.next())
const it = new Map([['a', 1]]).values(); console.log(it); console.log(Array.from(it)); console.log(Array.from(it))
console.log(new Set().values(), new Map().keys())
console.log([1, 2].entries(), 'ab'[Symbol.iterator](), 'a'.matchAll(/a/g), [1].values().map((x) => x))
console.log(new Map([['a', [1, 2]]]).values())
console.log(new Map().entries())
console.log(new Uint8Array(3), new Uint8Array(), new Float64Array([1.5, -0]), new BigInt64Array([1n]))
console.log(new Int8Array(2), new Uint16Array(1), new Int32Array([1]), new Uint8ClampedArray([300]), new Float32Array([0.1]))
console.log(new Uint8Array(200))
console.log(typeof Float16Array === 'function' ? new Float16Array([1.5]) : 0)
console.log(new ArrayBuffer(4), new ArrayBuffer(0), new Uint8Array([1, 2, 255]).buffer)
console.log(new ArrayBuffer(120), new SharedArrayBuffer(2), new ArrayBuffer(2, { maxByteLength: 4 }))
console.log(new DataView(new ArrayBuffer(2)), new DataView(new ArrayBuffer(4), 1, 2))
const b = new ArrayBuffer(2); b.transfer(); console.log(b)
console.log(Object.assign(new Uint8Array(2), { extra: 1 }), new (class Bytes extends Uint8Array {})(2))
console.log(new Date(0), new Date('2020-02-29T12:34:56.789Z'), new Date(NaN), [new Date(0)])
console.log(Object.assign(new Date(0), { extra: 1 }), new (class MyDate extends Date {})(0))
console.log(/a+b/gi, new RegExp('/', 'v'), [/x/y], Object.assign(/x/, { extra: 1 }), new (class R extends RegExp {})('a'))
console.log(RegExp.prototype, Date.prototype, Map.prototype, Set.prototype, Promise.prototype, Array.prototype)
console.log(Error.prototype, Object.prototype, Function.prototype, Symbol.prototype, BigInt.prototype, Boolean.prototype)
console.log(WeakMap.prototype, ArrayBuffer.prototype, Uint8Array.prototype, DataView.prototype, Number.prototype, String.prototype)
console.log(function () {}, function named() {}, () => {}, async () => {}, async function a() {}, function* g() {}, async function* ag() {})
console.log(class {}, class A {}, class B extends Array {}, class C extends null {}, class D extends (class {}) {})
console.log([class A {}, function f() {}, () => {}], { m() {}, f: () => {}, g: async () => {}, *h() {}, async *i() {} })
console.log(Object.assign(function f() {}, { a: 1 }), Object.assign(() => {}, { b: { c: 1 } }))
console.log(class A { static x = 1; static y() {} }, class A { static #p = 1; static get z() { return 1; } })
console.log(Math.max, Array, Map, parseInt, Symbol, eval, (() => {}).bind(null), function f() {}.bind())
console.log(Object.defineProperty(function () {}, 'name', { value: 'renamed' }), Object.defineProperty(() => {}, 'name', { value: '' }))
console.log(new (class Foo { x = 1; #y = 2; get z() { return 3; } })(), new (class {})(), new (class Empty {})())
console.log(new (class A extends (class B { b = 1 }) { a = 2 })(), Object.create(class Q {}.prototype))
console.log(new (class Foo { constructor() { this.self = this; this.child = new (class Bar { deep = { a: { b: 1 } } })(); } })())
console.log(new (function Legacy() { this.a = 1; })(), new (function () { this.b = 2; })())
console.log(new (class { get [Symbol.toStringTag]() { return 'Tagged'; } })(), { [Symbol.toStringTag]: 'T', a: 1 })
console.log(new (class Foo { get [Symbol.toStringTag]() { return 'Foo'; } })(), new (class Foo { get [Symbol.toStringTag]() { return 'FooBar'; } })())
console.log(Object.create(null, { [Symbol.toStringTag]: { value: 'NullTag' } }), Object.assign([], { [Symbol.toStringTag]: 'List' }))
console.log({ [Symbol.toStringTag]: '' }, { [Symbol.toStringTag]: 5 }, Object.assign(() => {}, { [Symbol.toStringTag]: 'F' }))
console.log({ [Symbol.for('nodejs.util.inspect.custom')]() { return 'custom!'; } })
console.log([{ [Symbol.for('nodejs.util.inspect.custom')](depth, options, inspect) { return 'depth ' + depth + typeof inspect + inspect({ a: 1 }, options); } }])
console.log({ [Symbol.for('nodejs.util.inspect.custom')]() { return { nested: [1, { a: { b: {} } }] }; } })
console.log({ [Symbol.for('nodejs.util.inspect.custom')]() { return this; }, a: 1 })
console.log({ a: { [Symbol.for('nodejs.util.inspect.custom')]() { return 'line1\nline2'; } } })
console.log(new (class Money { constructor(v) { this.v = v; } [Symbol.for('nodejs.util.inspect.custom')](d, o) { return o.stylize('$' + this.v, 'number'); } })(5))
console.log({ inspect() { return 'no'; } }, { toString() { return 'no'; } }, { toJSON() { return 'no'; } })
console.log(new Number(1), new String('abc'), new Boolean(false), Object(Symbol('s')), Object(5n), new Number(-0))
console.log(Object.assign(new String('ab'), { extra: 1 }), Object.assign(new Number(1), { a: 1 }), new (class S extends String {})('x'))
console.log(Object.setPrototypeOf(new Number(1), null), [new String('a')], new String(''))
console.log(new Error('plain'))
console.log(new TypeError('typed'), new RangeError(''), new Error(), [new Error('in array')])
console.log({ error: new Error('in object') })
console.log(Object.assign(new Error('with props'), { code: 'E_CODE', info: { a: 1 } }))
console.log(new Error('outer', { cause: new Error('inner') }))
console.log(new Error('outer', { cause: 'text' }), new Error('outer', { cause: { a: 1 } }), new Error('u', { cause: undefined }))
console.log(new AggregateError([new Error('one'), 2], 'several'))
console.log(new (class MyError extends Error {})('mine'))
console.log(new (class ValidationError extends TypeError { constructor(m) { super(m); this.name = 'ValidationError'; this.field = 'f'; } })('bad'))
console.log(new (class E extends Error { get name() { return 'Getter'; } })('m'))
console.log(new (class E extends Error { get message() { throw 1; } })())
const e = new Error('changed'); e.message = 'later'; console.log(e)
const e = new Error('renamed'); e.name = 'Other'; console.log(e)
const e = new Error('no stack'); delete e.stack; console.log(e)
const e = new Error('empty stack'); e.stack = undefined; console.log(e)
const e = new Error('own stack'); e.stack = 'Custom: stack text'; console.log(e, [e])
const e = new Error('self'); e.self = e; console.log(e)
const e = new Error('multi\nline'); console.log(e, { e })
const e = new Error('x'); e.cause = e; console.log(e)
console.log(Object.create(Error.prototype), Object.setPrototypeOf(new Error('null proto'), null))
console.log({ name: 'Error', message: 'fake', stack: 'Error: fake\n    at x' })
console.log(new (class extends Error {})('anonymous'), new EvalError('e'), new SyntaxError('s'), new URIError('u'), new ReferenceError('r'))
try { null.x } catch (e) { console.log(e) }
try { undefinedName } catch (e) { console.log(e.name, e.message); console.log(String(e)) }
try { JSON.parse('{bad') } catch (e) { console.log(e) }
console.log((function* gen() { yield 1; })(), (async function* ag() {})(), (function* () {})())
console.log(new Promise(() => {}), [new Promise(() => {})], { p: new Promise(() => {}) })
console.log((async () => { await null; })(), new (class MyPromise extends Promise {})(() => {}))
console.log(Object.assign(new Promise(() => {}), { extra: 1 }))
console.log(Object.create(Promise.prototype))
console.log(Promise.resolve(42))
console.log((async () => ({ a: 1 }))())
const p = Promise.reject(new Error('no')); p.catch(() => {}); console.log(p)
console.log(new Proxy({ a: 1 }, {}), new Proxy([1, 2], {}), new Proxy(function f() {}, {}), new Proxy(class A {}, {}))
console.log(new Proxy({ a: 1 }, { get() { throw new Error('trap'); }, ownKeys() { throw new Error('trap'); }, getPrototypeOf() { throw new Error('trap'); } }))
console.log(new Proxy(new Map([[1, 2]]), {}), new Proxy(new Proxy({ a: 1 }, {}), {}), { p: new Proxy({}, {}) })
const { proxy, revoke } = Proxy.revocable({ a: 1 }, {}); console.log(proxy); revoke(); console.log(proxy, [proxy])
console.log(Proxy.revocable({}, {}), Proxy, Proxy.name, Proxy.length, Proxy.prototype, typeof Proxy, Object.getOwnPropertyNames(Proxy))
try { Proxy({}, {}) } catch (e) { console.log(e.message) } try { new Proxy(1, {}) } catch (e) { console.log(e.message) } try { class X extends Proxy {} } catch (e) { console.log(e.message) }
console.log('%s', new Proxy({ a: 1 }, {}), '%o'); console.log('%o', new Proxy({ a: 1 }, { get: 1 }))
console.dir(new Proxy({ a: 1 }, { get() {} }), { showProxy: true })
console.log(Reflect.construct(Proxy, [{ x: 1 }, {}]), Object.create(new Proxy({}, {})))
console.log(Math, JSON, Reflect, Atomics)
console.log(Intl, new Intl.NumberFormat('en'), new WebAssembly.Memory({ initial: 1 }))
console.log(Object.getOwnPropertyDescriptor({ get a() { return 1; } }, 'a'), Object.getOwnPropertyDescriptors({ x: 1 }))
console.log(structuredCloneLike = { a: new Map([[{ k: new Set([1]) }, new Date(0)]]) }); delete globalThis.structuredCloneLike
console.log(Object.groupBy([1, 2, 3], (x) => (x % 2 ? 'odd' : 'even')), Map.groupBy([1, 2], (x) => x))
console.log('abc'.match(/b/), /(?<y>\d{4})/.exec('in 2024'), 'x'.match(/y/))
console.log(new FinalizationRegistry(() => {}), new Intl.DateTimeFormat('en').constructor.name, Symbol.for('x').description)
console.log(Object(1n), [Object(Symbol('q'))], [new Boolean(true)])
console.log([['a', 1], ['b', 2]], Object.entries({ x: { y: [1] } }), [{ a: 1, b: { c: 2 } }, { a: 2 }])
console.log({ level1: { level2: { level3: { level4: 'deep' } } }, arr: [[[['deep']]]] })
console.log({ users: [{ id: 1, name: 'Ann', tags: ['a', 'b'], address: { city: 'X', geo: { lat: 1, lng: 2 } } }], total: 1 })
console.log({ fn: function () {}, arrow: () => {}, cls: class Foo {}, sym: Symbol('s'), date: new Date(0), re: /x/, err: null })
console.log([3, 1, 2].toSorted(), [1, 2, 3].with(0, 9), new Array(3).fill(), Array(3).fill({ a: 1 }))
console.log([1.0, 2.5, 3.25, 100, 1000, 10000, 0.001, 1e-7])
console.log(['apple', 'banana', 'cherry', 'dragonfruit', 'elderberry', 'fig', 'grape', 'honeydew'])
console.log([true, false, true, false, true, false, true])
console.log([null, null, null, null, null, null, null, undefined])
console.log([[1, 2, 3], [4, 5, 6], [7, 8, 9]], [['x'.repeat(40), 'y'.repeat(40)]])
console.log({ matrix: [[1, 0, 0], [0, 1, 0], [0, 0, 1]], 'key with space': { nested: true } })
console.log(Array.from({ length: 3 }, () => Array.from({ length: 10 }, (_, i) => i)))
console.log(new Array(200).fill('ab'), new Array(7).fill('a'.repeat(20)))
console.log('%O', [[[[[[1]]]]]], '%o', [[[1]]])
console.log('%o', [1, 2, 3], function f() {}); console.log('%o', class A { static x = 1 })
console.log('a', 'b\n', { c: 1 }, [2], null)
console.log(-0, [-0], '%d', -0); console.log('%d', -0); console.log('%i|%f', -0, -0); console.log('%s', -0)
console.log('%d', '5', '%d', 'abc', null); console.log('%d %i', Symbol.iterator.toString(), []); console.log('%i', 12345678901234567890n)
console.log('%s', Object.create(null), '%s'); console.log('%s', { toString: null }); console.log('%s', [Symbol('x')])
console.log('%s', Object.create({ toString() { return 'inherited'; } })); console.log('%s', new (class A extends (class B { toString() { return 'b'; } }) {})())
console.log('%s', new Error('as string').message, new Error('x').name); console.log('%s', { toString() { return 'own'; } }, 1)
console.log('%j', undefined, () => {}, 1n.toString()); console.log('%j', { toJSON() { return 'json'; } }); console.log('%j', 'str', new Date(0))
console.log('%5s|%-5s', 'a', 'b'); console.log('%', 1, '%'); console.log('%%%s%%', 'x'); console.log('%s%', 'x'); console.log('%')
console.info('info', { a: 1 }); console.debug('debug', [1]); console.warn('warn', { a: 1 }); console.error('error', 5)
console.error(new Error('to stderr')); console.warn('%s!', 'formatted')
console.dir({ a: { b: { c: { d: 1 } } } }); console.dir({ a: { b: { c: { d: 1 } } } }, { depth: 0 }); console.dir({ a: { b: { c: { d: 1 } } } }, { depth: null })
console.dir([1, 2, 3], { maxArrayLength: 1 }); console.dir({ [Symbol.for('nodejs.util.inspect.custom')]() { return 'x'; } }); console.dir('str', 1)
console.dir({ b: 1, a: 2 }, { sorted: true, compact: false }); console.dir(123456789, { numericSeparator: true }); console.dir({ get a() { return 5; } }, { getters: true })
console.dir({ a: 1, s: 'str', n: null, f() {} }, { colors: true }); console.dir([1, /x/, new Date(0)], { colors: true, breakLength: 20 })
console.dir([1, { a: 1 }], { showHidden: true }); console.dir(new Map([[1, 2]]), { showHidden: true }); console.dir(class A { static m() {} }, { showHidden: true })
console.dir('x'.repeat(50), { maxStringLength: 10 }); console.dir({ a: 'x'.repeat(100) }, { breakLength: Infinity }); console.dir()
console.dirxml({ a: 1 }, [2], 'x')
console.group(); console.log('in'); console.groupEnd(); console.log('out')
console.group('title', { a: 1 }); console.log('a\nb'); console.error('err'); console.group('inner'); console.log({ a: 'x'.repeat(40), b: 'y'.repeat(40) }); console.groupEnd(); console.groupEnd(); console.groupEnd(); console.log('flat')
console.groupCollapsed('c'); console.info('i'); console.warn('w'); console.log(''); console.groupEnd()
console.count(); console.count(); console.count('x'); console.count(undefined); console.countReset(); console.count(); console.count(5); console.count(null); console.countReset('x'); console.count('x')
try { console.count(Symbol('x')) } catch (e) { console.log(e.message) }
console.assert(true, 'no'); console.assert(false); console.assert(false, 'msg %s', 1); console.assert(0, { a: 1 }, 2); console.assert()
console.table([{ a: 1, b: 'x' }, { a: 2, c: true }])
console.table([[1, 2], [3, 4, 5]]); console.table([1, 'a', null]); console.table(['x', { a: 1 }]); console.table([])
console.table({ r1: { c: 1 }, r2: { c: 2, d: [1, 2, 3, 4, 5] } }); console.table([{ a: { b: 1 } }, { a: { x: 1, y: 2, z: 3 } }])
console.table([{ a: 1, b: 2 }], ['b']); console.table([{ a: 1, b: 2 }], []); console.table([1], ['x']); console.table([{ a: 1 }], ['b'])
console.table(new Map([['a', 1], ['b', { c: 2 }]])); console.table(new Set([1, 'x'])); console.table(new Map([['a', 1]]).entries()); console.table(new Set([5]).values()); console.table(new Map([['a', 1]]).keys())
console.table('string'); console.table(5); console.table(null); console.table(undefined); console.table([{ 名前: '漢字', e: '😀' }])
console.table(new Uint8Array([1, 2])); console.table([new Date(0), /x/]); console.table({ a: 1, b: { c: 2 } }); console.table([() => {}]); console.table([{ a: undefined, b: null }])
try { console.table([], 'x') } catch (e) { console.log(e.name, e.code, e.message) } try { console.table([], { a: 1 }) } catch (e) { console.log(e.message) }
const { log, error } = console; log('detached', { a: 1 }); error('too'); [1, 2].forEach(console.log); log.call(null, 'x')
console.trace(); console.trace('traced %s', 'x', { a: 1 })
console.log(Object.prototype.toString.call(console), typeof console, console.log.name, console.log.length, Object.keys(Object.getPrototypeOf(console)))
const { log } = console; const seen = []; console.log = (...args) => seen.push(args); console.count('patched'); console.group('g'); console.groupEnd(); console.log = log; log(seen)
const { warn } = console; console.warn = (...args) => console.log('patched', ...args); console.assert(false, 'a %s', 'b'); console.assert(false, 1); console.warn = warn
console.log(globalThis.Foo = class Foo { a = 1; }); console.log(new Foo()); console.log(new (class Bar extends Foo {})()); delete globalThis.Foo
console.log(new Array(1e6).fill(0).length, new Array(1e6).fill(7))
console.log(new Uint8Array(2e6)); console.log(Object.assign(new Array(1e9), { 5: 'x' }))
console.log({ a: [], b: {}, c: '', d: new Map(), e: new Set(), f: () => {}, g: [[]], h: [{}] })
console.log([new (class A { x = [new (class B { y = { z: 1 } })()] })()])
console.log(Object.assign(Object.create({ a: 1 }), { b: 2 }), new (class A { constructor() { Object.defineProperty(this, 'h', { value: 1 }); } })())
console.log({ 'a\nb': 1, 'tab\t': 2, '漢': 3, 'é': 4, a1: 5, '1a': 6, 'a.b': 7 })
console.log(Array.from({ length: 101 }, (_, i) => ({ i })).length, Array.from({ length: 3 }, (_, i) => ({ i, s: 's'.repeat(i * 20) })))
`
  .split('\n')
  .filter(Boolean);

/** What JavaScript cannot see, by the program that shows it. A difference that is gone fails its test. */
const different = new Map([
  ['console.log(Promise.resolve(42))', 'the state of a promise'],
  ['console.log((async () => ({ a: 1 }))())', 'the state of a promise'],
  ["const p = Promise.reject(new Error('no')); p.catch(() => {}); console.log(p)", 'the state of a promise'],
  ["console.log(new Map([['a', [1, 2]]]).values())", 'an iterator over pairs is taken for one over entries'],
  ['console.log(new Map().entries())', 'an iterator without entries does not tell its kind'],
]);

const mark = '\u0001';

/** All programs as one script, each in a block of its own, with marks between their outputs. */
const script = programs.map((program) => `{ ${program} }\nconsole.log('${mark}');console.error('${mark}');`).join('\n');

interface Streams {
  readonly stdout: string;
  readonly stderr: string;
}

const frame = new RegExp(String.raw`\n *(?:\x1b\[\d+m)* *(?:at |\.\.\. \d+ lines matching)[^\n]*`, 'g');

/** What each program printed, the frames of stacks left out. */
function split({ stdout, stderr }: Streams): Streams[] {
  const errors = stderr.split(`${mark}\n`);
  return stdout.split(`${mark}\n`).map((text, index) => ({
    stdout: text.replace(frame, ''),
    stderr: (errors[index] ?? '').replace(frame, ''),
  }));
}

function inNode(colors: boolean): Streams[] {
  const env = colors ? { FORCE_COLOR: '1' } : {};
  return split(spawnSync(process.execPath, ['-'], { input: script, encoding: 'utf8', maxBuffer: 2 ** 26, env }));
}

for (const colors of [false, true]) {
  const actual = split(await runGuest(script, colors));
  const expected = inNode(colors);
  suite(colors ? 'in colours' : 'on a pipe', () => {
    test('every program runs in both', () => {
      assert.deepEqual([actual.length, expected.length], [programs.length + 1, programs.length + 1]);
    });
    for (const [index, program] of programs.entries()) {
      const reason = different.get(program);
      test(`${program} prints ${reason ? `other than node (${reason})` : 'what node prints'}`, () => {
        if (reason) assert.notDeepEqual(actual[index], expected[index]);
        else assert.deepEqual(actual[index], expected[index]);
      });
    }
  });
}

test('texts and numbers are one write a call, made without the formatter', async () => {
  const { writes } = await runGuest(`
    Function.prototype.bind = () => { throw new Error('the formatter was evaluated'); };
    console.log('a', 1, null, true); console.error('b'); console.count();
    try { console.log({}); } catch (error) { console.log(error.message); }`);
  assert.deepEqual(writes, [
    { fd: 1, text: 'a 1 null true\n' },
    { fd: 2, text: 'b\n' },
    { fd: 1, text: 'default: 1\n' },
    { fd: 1, text: 'the formatter was evaluated\n' },
  ] satisfies Write[]);
});

test('timers print the time since their start', async () => {
  const code = `console.time(); console.time('t'); console.timeLog('t', { a: 1 }); console.timeEnd('t'); console.timeEnd();`;
  assert.match((await runGuest(code)).stdout, /^t: [\d.]+ms \{ a: 1 \}\nt: [\d.]+ms\ndefault: [\d.]+ms\n$/);
});

test('an unknown timer or counter is a warning on stderr, the first with a hint', async () => {
  const { stdout, stderr } = await runGuest(
    `console.timeEnd('a'); console.countReset('b'); console.time('c'); console.time('c');`,
  );
  const hint = '(Use `node --trace-warnings ...` to show where the warning was created)\n';
  const lines = [
    `No such label 'a' for console.timeEnd()\n${hint}`,
    "Count for 'b' does not exist\n",
    "Label 'c' already exists for console.time()\n",
  ];
  assert.equal(stderr.replaceAll(/\(node:\d+\)/g, '(node)'), lines.map((line) => `(node) Warning: ${line}`).join(''));
  assert.equal(stdout, '');
});

for (const [ms, shown] of [
  [1.23456, '1.235ms'],
  [999, '999ms'],
  [1500, '1.500s'],
  [62_003, '1:02.003 (m:ss.mmm)'],
  [3_602_003, '1:00:02.003 (h:mm:ss.mmm)'],
] as const) {
  test(`${ms} ms are shown as ${shown}, as node does`, async (t) => {
    // The clock of the host's side: the program asks it twice, and the first time it has just started.
    const times = [0, ms];
    t.mock.method(process, 'hrtime', (since?: unknown) => [0, since === undefined ? 0 : (times.shift() ?? ms) * 1e6]);
    assert.equal((await runGuest('console.time(); console.timeEnd();')).stdout, `default: ${shown}\n`);
  });
}

test('inspection leaves an iterator usable', async () => {
  const code = `const it = new Map([['a', 1], ['b', 2]]).entries(); console.log(it); console.log([...it].length, it.next().done);`;
  assert.equal((await runGuest(code)).stdout, "[Map Entries] { [ 'a', 1 ], [ 'b', 2 ] }\n2 true\n");
});
