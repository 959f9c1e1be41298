// A Sigstore instance for one test, on loopback: an issuer of identity tokens, Fulcio with a
// certificate transparency log, Rekor v1 and v2, and a timestamp authority. Keys are made anew at
// every start.
//
//   node serve.mjs FOLDER
//
// writes trusted_root.json, signing_config.json and, last, address into the folder.
//
// A path may begin with a way to misbehave, such as http://127.0.0.1:PORT/garbage for a URL of a
// service: see `misbehaviour`.
import { createHash, generateKeyPairSync, sign, verify as verifySignature } from 'node:crypto';
import { writeFileSync, renameSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import canonicalize from 'canonicalize';
import * as jose from 'jose';
import * as pkijs from 'pkijs';
import mock from '@sigstore/mock';

const folder = process.argv[2];
const AUDIENCE = 'sigstore';
const pair = () => generateKeyPairSync('ec', { namedCurve: 'P-256' });
const spki = (key) => key.export({ format: 'der', type: 'spki' });
const sha256 = (bytes) => createHash('sha256').update(bytes).digest();
const isSet = (value) => value !== undefined && value !== null;

// --- the issuer of identity tokens

const issuerKeys = pair();
async function issueToken({ audience = AUDIENCE, lifetime = '300', ...claims }) {
  if (isSet(claims.email_verified)) claims.email_verified = String(claims.email_verified) === 'true';
  const now = Math.floor(Date.now() / 1000);
  return new jose.SignJWT({ iss: base, ...claims })
    .setProtectedHeader({ alg: 'ES256' })
    .setAudience(audience)
    .setIssuedAt(now)
    .setExpirationTime(now + Number(lifetime))
    .sign(issuerKeys.privateKey);
}

// --- Fulcio: the mock believes everything, so token and proof of possession are checked here

const caKeys = pair();
const ctLog = await mock.initializeCTLog(pair());
const ca = await mock.initializeCA(caKeys, ctLog);
const certify = { sub: mock.fulcioHandler(ca, { subjectClaim: 'sub' }), email: mock.fulcioHandler(ca, { subjectClaim: 'email' }) };

async function certificate(body, way, headers) {
  const request = JSON.parse(body);
  // Either place is allowed.
  request.credentials ??= { oidcIdentityToken: headers.authorization?.replace('Bearer ', '') };
  const token = request.credentials.oidcIdentityToken;
  const { payload } = await jose.jwtVerify(token, issuerKeys.publicKey, { audience: AUDIENCE });
  const claim = isSet(payload.email) ? 'email' : 'sub';
  const wanted = request.publicKeyRequest;
  if (wanted) {
    const proof = Buffer.from(wanted.proofOfPossession, 'base64');
    const key = wanted.publicKey.content;
    if (!verifySignature('sha256', Buffer.from(payload[claim]), key, proof)) {
      throw new Error('the proof of possession is wrong');
    }
  }
  if (request.certificateSigningRequest) {
    // Bytes, so base64 of the PEM; the mock takes the PEM.
    request.certificateSigningRequest = Buffer.from(request.certificateSigningRequest, 'base64').toString();
  }
  if (way === 'stranger') {
    const key = pair().publicKey.export({ format: 'pem', type: 'spki' });
    request.publicKeyRequest = { publicKey: { content: key } };
  }
  if (way === 'other-name' || way === 'other-issuer') {
    const lie = way === 'other-name' ? { [claim]: 'somebody@else.test' } : { iss: 'https://else.test' };
    request.credentials.oidcIdentityToken = await issueToken({ ...payload, ...lie, audience: AUDIENCE });
  }
  const answer = await certify[claim].fn(JSON.stringify(request));
  if (answer.statusCode !== 201) throw new Error(answer.response);
  // As the real one.
  return { ...answer, statusCode: 200 };
}

// --- Rekor

const logKeys = pair();
let tlog;
const ANOTHER = Buffer.from('another artifact');

// What the log writes down for what was proposed.
function canonicalEntry(proposed) {
  if (proposed.kind !== 'dsse') return proposed;
  const { envelope, verifiers } = proposed.spec.proposedContent;
  const { payload, signatures } = JSON.parse(envelope);
  return {
    apiVersion: '0.0.1',
    kind: 'dsse',
    spec: {
      envelopeHash: { algorithm: 'sha256', value: sha256(envelope).toString('hex') },
      payloadHash: { algorithm: 'sha256', value: sha256(Buffer.from(payload, 'base64')).toString('hex') },
      signatures: signatures.map(({ sig }, i) => ({ signature: sig, verifier: verifiers[i] })),
    },
  };
}

async function logV1(body, way) {
  const proposed = JSON.parse(body);
  if (way === 'elsewhere') proposed.spec.data.hash.value = sha256(ANOTHER).toString('hex');
  const entry = await tlog.log(canonicalEntry(proposed));
  const uuid = Object.keys(entry)[0];
  return {
    statusCode: 201,
    response: JSON.stringify(entry),
    contentType: 'application/json',
    headers: { ETag: uuid, Location: `/api/v1/log/entries/${uuid}` },
  };
}

// A tree with one entry, as Rekor v2 signs it: in the name of its host alone. The mock writes the origin of v1.
function treeV2(entry, logID) {
  const root = sha256(Buffer.concat([Buffer.from([0]), entry])).toString('base64');
  const origin = new URL(base).hostname;
  const note = `${origin}\n1\n${root}\n`;
  const signature = Buffer.concat([logID.subarray(0, 4), sign('sha256', Buffer.from(note), logKeys.privateKey)]);
  return { root, checkpoint: `${note}\n\u2014 ${origin} ${signature.toString('base64')}\n` };
}

function logV2(body, way) {
  const { hashedRekordRequestV002: asked } = JSON.parse(body);
  if (!asked) throw new Error('only hashedrekord is taken');
  if (way === 'elsewhere') asked.digest = sha256(ANOTHER).toString('base64');
  const entry = Buffer.from(
    canonicalize({
      apiVersion: '0.0.2',
      kind: 'hashedrekord',
      spec: {
        hashedRekordV002: {
          data: { algorithm: 'SHA2_256', digest: asked.digest },
          signature: asked.signature,
        },
      },
    }),
  );
  const logID = sha256(spki(logKeys.publicKey));
  const { root, checkpoint } = treeV2(entry, logID);
  const response = {
    logIndex: '0',
    logId: { keyId: logID.toString('base64') },
    kindVersion: { kind: 'hashedrekord', version: '0.0.2' },
    canonicalizedBody: entry.toString('base64'),
    inclusionProof: {
      logIndex: '0',
      treeSize: '1',
      rootHash: root,
      hashes: [],
      checkpoint: { envelope: checkpoint },
    },
  };
  return { statusCode: 201, response: JSON.stringify(response), contentType: 'application/json' };
}

// --- the timestamp authority

const tsa = await mock.initializeTSA(pair());
// Whole seconds, as the profile of Sigstore wants them.
tsa.getCurrentTime = () => new Date(Math.floor(Date.now() / 1000) * 1000);
const tstInfo = tsa.tstInfo.bind(tsa);
tsa.tstInfo = (request) => {
  const info = tstInfo(request);
  info.nonce = request.asked.nonce;
  return info;
};

// A request in DER, or in JSON, as the timestamp authority of Sigstore takes it as well.
function askedOf(body, headers) {
  if (headers['content-type'] === 'application/json') {
    const { artifactHash, certificates } = JSON.parse(body);
    return { hash: Buffer.from(artifactHash, 'base64'), algorithm: '2.16.840.1.101.3.4.2.1', certReq: certificates };
  }
  const { messageImprint, nonce, certReq } = pkijs.TimeStampReq.fromBER(body);
  const hash = Buffer.from(messageImprint.hashedMessage.valueBlock.valueHexView);
  return { hash, algorithm: messageImprint.hashAlgorithm.algorithmId, nonce, certReq };
}

async function timestamp(body, way, headers) {
  const asked = askedOf(body, headers);
  const response = await tsa.timestamp({
    asked,
    artifactHash: way === 'elsewhere' ? sha256(ANOTHER) : asked.hash,
    hashAlgorithmOID: asked.algorithm,
    policyOID: '1.3.6.1.4.1.57264.2',
    nonce: 0,
    certReq: asked.certReq,
  });
  return { statusCode: 201, response, contentType: 'application/timestamp-reply' };
}

// --- serving

const misbehaviour = {
  garbage: () => ({ statusCode: 200, response: '{"not": "what was asked for"}', contentType: 'application/json' }),
  huge: () => ({ statusCode: 200, response: Buffer.alloc(4 << 20, ' '), contentType: 'application/json' }),
  busy: () => ({ statusCode: 503, response: 'come back later' }),
  redirect: (path) => ({ statusCode: 307, response: '', headers: { Location: path } }),
  // Says back what it was told, token and all.
  echo: (_, body) => ({ statusCode: 400, response: body }),
};

const services = {
  '/api/v2/signingCert': certificate,
  '/api/v1/log/entries': logV1,
  '/api/v2/log/entries': logV2,
  '/api/v1/timestamp': timestamp,
};

async function answer(request, body) {
  const url = new URL(request.url, base);
  const [, first] = url.pathname.split('/');
  const way = ['stranger', 'other-name', 'other-issuer', 'elsewhere', ...Object.keys(misbehaviour)].find((known) => known === first);
  const path = way ? url.pathname.slice(way.length + 1) : url.pathname;
  if (path === '/token') {
    return { statusCode: 200, response: await issueToken(Object.fromEntries(url.searchParams)) };
  }
  if (path === '/github') {
    // As the identity service of GitHub Actions.
    if (request.headers.authorization !== 'Bearer job-token') throw new Error('not a job of ours');
    const value = await issueToken({ sub: 'repo:acme/plugins:ref:refs/heads/main', audience: url.searchParams.get('audience') });
    return { statusCode: 200, response: JSON.stringify({ value }), contentType: 'application/json' };
  }
  if (way in misbehaviour) return misbehaviour[way](path, body);
  const service = services[path];
  if (!service) return { statusCode: 404, response: 'no such service' };
  return service(body, way, request.headers);
}

const server = createServer((request, response) => {
  const chunks = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('end', async () => {
    let result;
    try {
      result = await answer(request, Buffer.concat(chunks));
    } catch (error) {
      console.error(request.url, error.message);
      result = { statusCode: 400, response: JSON.stringify({ code: 3, message: error.message }), contentType: 'application/json' };
    }
    response.writeHead(result.statusCode, { 'Content-Type': result.contentType ?? 'text/plain', ...result.headers });
    response.end(result.response);
  });
});
await new Promise((ready) => server.listen(0, '127.0.0.1', ready));
const base = `http://127.0.0.1:${server.address().port}`;
tlog = await mock.initializeTLog(base, logKeys);

// --- who is trusted, and where they are

const validFor = { start: new Date(Date.now() - 3_600_000).toISOString() };
const log = (key) => ({
  baseUrl: base,
  hashAlgorithm: 'SHA2_256',
  publicKey: { rawBytes: key.toString('base64'), keyDetails: 'PKIX_ECDSA_P256_SHA_256', validFor },
  logId: { keyId: sha256(key).toString('base64') },
});
const authority = (name, certificates) => ({
  subject: { organization: 'sigstore.mock', commonName: name },
  uri: base,
  certChain: { certificates: certificates.map((der) => ({ rawBytes: Buffer.from(der).toString('base64') })) },
  validFor,
});
const service = (path, majorApiVersion = 1) => [{ url: base + path, majorApiVersion, validFor, operator: 'sigstore.mock' }];
const write = (name, value) => writeFileSync(join(folder, name), JSON.stringify(value, null, 2));
const trustedRoot = {
  mediaType: 'application/vnd.dev.sigstore.trustedroot+json;version=0.1',
  tlogs: [log(spki(logKeys.publicKey))],
  certificateAuthorities: [authority('sigstore', [ca.rootCertificate])],
  ctlogs: [log(Buffer.from(ctLog.publicKey))],
  timestampAuthorities: [authority('tsa', [tsa.intCertificate, tsa.rootCertificate])],
};
const signingConfig = {
  mediaType: 'application/vnd.dev.sigstore.signingconfig.v0.2+json',
  caUrls: service(''),
  oidcUrls: service(''),
  rekorTlogUrls: service(''),
  tsaUrls: service('/api/v1/timestamp'),
  rekorTlogConfig: { selector: 'ANY' },
  tsaConfig: { selector: 'ANY' },
};
write('trusted_root.json', trustedRoot);
write('signing_config.json', signingConfig);
// As Python's client takes both.
write('trust_config.json', {
  mediaType: 'application/vnd.dev.sigstore.clienttrustconfig.v0.1+json',
  trustedRoot,
  signingConfig,
});
writeFileSync(join(folder, 'address.new'), base);
renameSync(join(folder, 'address.new'), join(folder, 'address'));
