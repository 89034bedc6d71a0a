import js from '@eslint/js';
import hooks from 'eslint-plugin-react-hooks';
import tseslint from 'typescript-eslint';

// Paths are layers: client knows no React; features know client and components; app knows all.
const layer = (files, patterns, message) => ({
  files,
  rules: { 'no-restricted-imports': ['error', { patterns: [{ group: patterns, message }] }] },
});

export default tseslint.config(
  { ignores: ['dist', 'dist-docs', 'node_modules', 'test-results', 'playwright-report'] },
  js.configs.recommended,
  ...tseslint.configs.strict,
  {
    files: ['**/*.{ts,tsx}'],
    plugins: { 'react-hooks': hooks },
    rules: { ...hooks.configs.recommended.rules, 'no-console': 'error' },
  },
  { files: ['scripts/*.mjs', 'sdk/*.mjs'], languageOptions: { globals: { console: 'readonly', process: 'readonly', URL: 'readonly', setTimeout: 'readonly', clearTimeout: 'readonly' } } },
  layer(['src/client/**'], ['react', 'react-dom', '**/features/**', '**/components/**', '**/app/**'], 'client holds no React'),
  layer(['src/components/**'], ['**/features/**', '**/client/**', '**/app/**'], 'components only draw'),
  layer(['src/features/**'], ['**/app/**'], 'features do not know the app'),
);
