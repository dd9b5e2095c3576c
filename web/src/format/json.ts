// How is a payload shown exactly as it is? Not by parsing it: a parser would round large numbers and
// drop repeated members. Its text is laid out in lines, and a member is cut out of it, token by token.

const TOKEN = /"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g;

/** JSON text with a member a line; every number and string as it was written. */
export function laidOut(json: string): string {
  const tokens = json.match(TOKEN) ?? [];
  let out = "";
  let depth = 0;
  const newLine = () => `\n${"  ".repeat(depth)}`;
  for (const [at, token] of tokens.entries()) {
    const before = tokens[at - 1];
    if (token === "}" || token === "]") {
      depth -= 1;
      out += before === "{" || before === "[" ? token : newLine() + token;
      continue;
    }
    if (before === "{" || before === "[") out += newLine();
    if (token === "{" || token === "[") depth += 1;
    if (token === ",") out += `,${newLine()}`;
    else out += token === ":" ? ": " : token;
  }
  return out;
}

/** The text of a member of the outermost object, as it stands there; `null` if it has none. */
export function member(json: string, name: string): string | null {
  let depth = 0;
  let key = "";
  let begin = -1;
  for (const { 0: token, index } of json.matchAll(TOKEN)) {
    const closes = token === "}" || token === "]";
    if (begin >= 0 && depth === 1 && (token === "," || closes))
      return json.slice(begin, index).trim();
    if (token === "{" || token === "[") depth += 1;
    else if (closes) depth -= 1;
    else if (depth === 1 && token === ":" && begin < 0 && key === JSON.stringify(name))
      begin = index + 1;
    if (begin < 0) key = token;
  }
  return null;
}
