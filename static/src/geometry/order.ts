/** Cards one below the other: each after what it needs, and as near to it as that allows. */

export function topological(ids: readonly string[], wires: readonly { source: string; target: string }[]): string[] {
  const needs = new Map<string, string[]>(ids.map((id) => [id, []]));
  const fed = new Set<string>();
  for (const { source, target } of wires) {
    needs.get(target)?.push(source);
    if (needs.has(target)) fed.add(source);
  }
  const done = new Set<string>();
  const order: string[] = [];
  const visit = (id: string): void => {
    if (done.has(id)) return;
    done.add(id);
    const sources = (needs.get(id) ?? []).filter((source) => needs.has(source));
    // what stands alone comes last, next to the card it feeds
    for (const source of sources) if (needs.get(source)!.length > 0) visit(source);
    for (const source of sources) visit(source);
    order.push(id);
  };
  for (const id of ids) if (!fed.has(id)) visit(id);
  for (const id of ids) visit(id);
  return order;
}
