// An action in a language whose engine comes along: a component of 12 MB.
export const actions = {
  run(call) {
    const input = JSON.parse(call.input);
    return { tag: "json", val: JSON.stringify({ hello: input.name }) };
  },
};
