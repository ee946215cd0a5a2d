// In JavaScript, because a Node that is too old cannot read our TypeScript to say so.
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major !== 24 || minor < 21) {
  console.error(
    `ZPack runs on Node 24.21 or newer of the 24 line, and this is ${process.versions.node}.\n` +
      'npm brings the right one along as the package "node": try "npm rebuild node".',
  );
  process.exit(1);
}
