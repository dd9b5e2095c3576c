// A sentence of the server's as it stands on the page: with a capital, and names between backticks set
// apart. Nothing else in it is interpreted.

export function Said({ words }: { words: string }) {
  const parts = words.split("`");
  // A backtick that is never closed is an ordinary character.
  if (parts.length % 2 === 0) return <span>{capital(words)}</span>;
  return (
    <span>
      {parts.map((part, at) =>
        // biome-ignore lint/suspicious/noArrayIndexKey: parts of one sentence have no other name
        at % 2 === 1 ? <code key={at}>{part}</code> : at === 0 ? capital(part) : part,
      )}
    </span>
  );
}

const capital = (words: string) => words.charAt(0).toUpperCase() + words.slice(1);
