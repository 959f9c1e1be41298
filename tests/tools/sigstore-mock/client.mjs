// The JavaScript client of Sigstore as a command, which it does not have itself.
//
//   node client.mjs verify FILE BUNDLE TRUSTED_ROOT --key PEM | --identity NAME ISSUER
//   node client.mjs sign|attest FILE BUNDLE SERVICES_URL --key PEM | --token FILE
import { createHash, createPrivateKey, createPublicKey, sign as signBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { bundleFromJSON, bundleToJSON } from '@sigstore/bundle';
import { TrustedRoot } from '@sigstore/protobuf-specs';
import { DSSEBundleBuilder, FulcioSigner, MessageSignatureBundleBuilder, RekorWitness, TSAWitness } from '@sigstore/sign';
import { Verifier, toSignedEntity, toTrustMaterial } from '@sigstore/verify';

const [command, file, bundleFile, ...rest] = process.argv.slice(2);
const data = readFileSync(file);
const sha256 = (bytes) => createHash('sha256').update(bytes).digest();

function verify(rootFile, by, ...who) {
  const bundle = bundleFromJSON(JSON.parse(readFileSync(bundleFile)));
  const root = TrustedRoot.fromJSON(JSON.parse(readFileSync(rootFile)));
  const keyless = by === '--identity';
  const key = keyless ? undefined : createPublicKey(readFileSync(who[0]));
  const material = toTrustMaterial(root, () => ({ publicKey: key, validFor: () => true }));
  const proofs = keyless ? 1 : 0;
  const verifier = new Verifier(material, { tlogThreshold: proofs, ctlogThreshold: proofs, timestampThreshold: proofs });
  const escaped = (text) => `^${text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}$`;
  verifier.verify(
    toSignedEntity(bundle, data),
    keyless ? { subjectAlternativeName: escaped(who[0]), extensions: { issuer: who[1] } } : undefined,
  );
}

function keySigner(pem) {
  const key = createPrivateKey(readFileSync(pem));
  const spki = createPublicKey(key).export({ type: 'spki', format: 'der' });
  const publicKey = createPublicKey(key).export({ type: 'spki', format: 'pem' });
  return {
    sign: async (bytes) => ({
      signature: signBytes('sha256', bytes, key),
      key: { $case: 'publicKey', publicKey, hint: sha256(spki).toString('base64') },
    }),
  };
}

async function sign(url, by, who) {
  const identityProvider = { getToken: async () => readFileSync(who, 'utf8') };
  const options = {
    signer: by === '--key' ? keySigner(who) : new FulcioSigner({ fulcioBaseURL: url, identityProvider }),
    witnesses: [new RekorWitness({ rekorBaseURL: url, entryType: 'dsse' }), new TSAWitness({ tsaBaseURL: url })],
  };
  const statement = {
    _type: 'https://in-toto.io/Statement/v1',
    subject: [{ name: basename(file), digest: { sha256: sha256(data).toString('hex') } }],
    predicateType: 'https://example.test/predicate/v1',
    predicate: {},
  };
  const bundle =
    command === 'sign'
      ? await new MessageSignatureBundleBuilder(options).create({ data })
      : await new DSSEBundleBuilder(options).create({ data: Buffer.from(JSON.stringify(statement)), type: 'application/vnd.in-toto+json' });
  writeFileSync(bundleFile, JSON.stringify(bundleToJSON(bundle)));
}

await (command === 'verify' ? verify(...rest) : sign(...rest));
