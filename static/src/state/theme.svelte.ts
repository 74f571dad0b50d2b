/** Dark or light: the system's choice until a person makes one, which this browser then remembers. */

const KEY = "daggr:theme";

type Choice = "dark" | "light";

export class Theme {
  #system = matchMedia("(prefers-color-scheme: dark)");
  #chosen = $state<Choice | null>(remembered());
  #systemDark = $state(this.#system.matches);

  readonly dark: boolean = $derived(this.#chosen === null ? this.#systemDark : this.#chosen === "dark");

  constructor() {
    this.#system.addEventListener("change", ({ matches }) => (this.#systemDark = matches));
  }

  toggle(): void {
    this.#chosen = this.dark ? "light" : "dark";
    try {
      localStorage.setItem(KEY, this.#chosen);
    } catch {
      // storage is off: the choice holds until the page is closed
    }
  }
}

function remembered(): Choice | null {
  try {
    const choice = localStorage.getItem(KEY);
    return choice === "dark" || choice === "light" ? choice : null;
  } catch {
    return null;
  }
}
