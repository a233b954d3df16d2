// Holds manifests against the definitions of their custom resources: JSON objects on stdin, one a line; the folder of the
// npm packages is the argument. Prints `checked KIND`, or `wrong KIND: WHY`, for each kind that it knows.

import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const groups = {
  "argoproj.io/v1alpha1": "@kubernetes-models/argo-rollouts/argoproj.io/v1alpha1",
  "monitoring.coreos.com/v1": "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1",
  "external-secrets.io/v1": "@kubernetes-models/external-secrets/external-secrets.io/v1",
};

for await (const line of createInterface({ input: process.stdin })) {
  const manifest = JSON.parse(line);
  if (!(manifest.apiVersion in groups)) continue;
  const folder = join(process.argv[2], groups[manifest.apiVersion]);
  const models = await import(pathToFileURL(join(folder, "index.js")));
  try {
    new models[manifest.kind](manifest).validate();
    const unknown = unknownFields(manifest.spec, join(folder, `${manifest.kind}Spec.d.ts`), "spec");
    if (unknown.length) throw new Error(`no such field: ${unknown.join(", ")}`);
    console.log(`checked ${manifest.kind}`);
  } catch (error) {
    console.log(`wrong ${manifest.kind}: ${error.message}`);
  }
}

// The validators let unknown fields pass, as an API server would drop them in silence. The packages' type declarations
// have them all: one file an object, generated; a field begins a line.
function unknownFields(value, file, path) {
  const fields = fieldsOf(file);
  if (!fields) return [];
  return Object.entries(value).flatMap(([name, inner]) => {
    const type = fields.get(name);
    if (!type) return [`${path}.${name}`];
    const items = Array.isArray(inner) ? inner : [inner];
    return items.flatMap((item) =>
      item && typeof item === "object" && type.file ? unknownFields(item, type.file, `${path}.${name}`) : [],
    );
  });
}

// The fields of the interface in a file, with the file of each one's type; null where it is none, or open to any field.
function fieldsOf(file) {
  const text = readFileSync(file, "utf8");
  const head = text.match(/^export interface \w+(?: extends ([\w, ]+))? \{$([\s\S]*?)^\}/m);
  if (!head || /^ {4}\[/m.test(head[2])) return null;
  const imports = new Map();
  for (const [, names, from] of text.matchAll(/^import \{ ([^}]*) \} from "(\.[^"]*)\.js";$/gm))
    for (const name of names.split(", ")) imports.set(name, join(dirname(file), `${from}.d.ts`));
  const fields = new Map();
  for (const parent of head[1]?.split(", ") ?? []) {
    const inherited = imports.has(parent) ? fieldsOf(imports.get(parent)) : null;
    if (!inherited) return null;
    inherited.forEach((type, name) => fields.set(name, type));
  }
  for (const [, name, type] of head[2].matchAll(/^ {4}"([^"]+)"\??: (.*)$/gm))
    fields.set(name, { file: imports.get(type.replace(/^(?:Array<)?(\w+)>?;$/, "$1")) });
  return fields;
}
